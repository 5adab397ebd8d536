"""Experiments that were published, as programs compiled here, with what they should give."""
