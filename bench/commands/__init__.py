"""The command line's commands, one module each; they put parts together and compute nothing."""
