"""When operations happen."""
