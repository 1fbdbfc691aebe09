"""One HTML file that works offline."""
