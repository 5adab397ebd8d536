import subprocess
import sys

CODE = """
import numpy as np
from partition_circuits import random_circuit
from distq.network.model import Network
from distq.partition.packets import build_packets
from distq.partition.place import make_problem
from distq.partition.methods import metis

rng = np.random.default_rng(0)
for seed in range(400):
    n = int(rng.integers(4, 14))
    circuit = random_circuit(n, 2 * n, seed)
    data = rng.integers(1, n + 1, int(rng.integers(2, 8))).tolist()
    if sum(data) >= n:
        metis(make_problem(circuit, build_packets(circuit), Network.all_to_all(len(data), data, 2)))
print("done")
"""


def test_metis_writes_nothing_to_standard_output():
    """It remarks on graphs that are too small for it, and standard output belongs to results."""
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, cwd=Path(__file__).parent, check=True
    )
    assert done.stdout == "done\n"
