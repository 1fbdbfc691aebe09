"""What happens before and around loading MXNet."""
