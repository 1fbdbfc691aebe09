"""What it was measured on: identity, weather, ceilings."""
