"""Predicted fidelity of scheduled programs."""
