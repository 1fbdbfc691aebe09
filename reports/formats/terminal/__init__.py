"""The page in a terminal."""
