"""Runs of distributed programs on simulators."""
