"""Every kind of file of ours, read and written."""
