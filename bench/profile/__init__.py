"""Where the time and the memory of a benchmark go."""
