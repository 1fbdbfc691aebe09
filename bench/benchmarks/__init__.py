"""One module a question; adding a file here adds a benchmark (docs/new-benchmark.md)."""
