"""A page before it has a format."""
