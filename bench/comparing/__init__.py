"""Runs held side by side: two or more of them, or many over time."""
