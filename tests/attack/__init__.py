"""Files of every kind, whole and damaged at random, and what may come of showing one."""
