"""Workers, interleaved rounds, one budget over all questions."""
