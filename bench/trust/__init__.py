"""How far comparisons can be trusted: recording and replay."""
