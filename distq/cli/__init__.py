"""The command line: one command a file; heavy imports happen inside the commands."""
