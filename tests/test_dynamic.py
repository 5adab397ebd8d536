"""The helper against Qiskit's own simulator, on circuits without measurement."""

import numpy as np
import pytest
from dynamic import Branch, embed, random_state
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector, partial_trace


@pytest.mark.parametrize("seed", range(5))
def test_branch_is_qiskits_evolution(seed):
    rng = np.random.default_rng(seed)
    circuit = random_circuit(4, 4, max_operands=3, seed=seed)
    state = random_state(4, rng)
    wanted = Statevector(state).evolve(circuit)
    found = Branch(circuit, rng, embed(state, [0, 1, 2, 3], 4))
    assert np.allclose(found.vector(), wanted.data)
    swapped = partial_trace(wanted, [1, 3]).data.reshape([2] * 4).transpose(1, 0, 3, 2).reshape(4, 4)
    assert np.allclose(found.reduced([2, 0]), swapped)


def test_embed():
    rng = np.random.default_rng(1)
    a, b = random_state(1, rng), random_state(1, rng)
    full = embed(np.kron(b, a), [2, 0], 3)
    assert np.allclose(full, np.einsum("i,j,k->ijk", b, [1, 0], a))
