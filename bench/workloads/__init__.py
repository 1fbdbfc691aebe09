"""What runs inside a worker: the only part of ``bench`` that computes with MXNet."""
