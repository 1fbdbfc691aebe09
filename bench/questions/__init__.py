"""What is asked: questions, the gate and what a worker can measure."""
