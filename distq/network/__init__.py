"""Where a circuit runs: modules, links, topologies, presets, network files."""
