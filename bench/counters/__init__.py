"""What a training step does, counted exactly."""
