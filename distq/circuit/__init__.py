"""What is compiled: logical circuits and their readers."""
