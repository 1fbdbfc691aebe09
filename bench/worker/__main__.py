"""``python -m bench.worker``: what a coordinator starts, of this revision and of others."""

from bench.worker.process import main

main()
