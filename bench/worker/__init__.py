"""The process that measures on command."""
