"""From what is known to sentences and warnings."""
