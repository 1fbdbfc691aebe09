"""The tutorial's training step in other frameworks, and the proof that it is the same work."""
