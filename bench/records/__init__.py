"""Everything that is known, with units: frozen records, one dialect; imports nothing of ours."""
