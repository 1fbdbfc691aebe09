"""What it was measured on: identity, weather, ceilings; git and what the system tells."""
