"""Local mapping: each module's part of a program is routed on the coupling map of its own processor."""
