"""Images and labels: files, synthetic digits, batches."""
