"""From samples to estimates, ratios and verdicts: pure functions."""
