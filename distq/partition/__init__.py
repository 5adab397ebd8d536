"""Where qubits live and gates happen: packets, the partition search, and the order of a plan."""
