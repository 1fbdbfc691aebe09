"""Where a benchmark's time goes: py-spy, MXNet's profiler, memory; never beside a timed run."""
