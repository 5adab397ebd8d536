"""Plans become programs: the protocols of gate and state teleportation."""
