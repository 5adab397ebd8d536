"""Noisy simulation against a second simulator, closed forms, and itself by other methods."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from noisy_oracle import Oracle
from program_samples import (
    random_program,
)
from qiskit.quantum_info import random_statevector

from distq import LinkHardware, ModuleHardware
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import DistributedProgram
from distq.schedule.plan import schedule
from distq.simulate.noisy import noisy

PAIR = np.array(
    [[0.45, 0.02, 0.01j, 0.3 + 0.1j], [0.02, 0.05, 0.01, 0], [-0.01j, 0.01, 0.1, 0.02], [0.3 - 0.1j, 0, 0.02, 0.4]]
)


def on(program: DistributedProgram, module: Any = None, link: Any = None) -> DistributedProgram:
    """The program on other hardware."""
    return replace(program, network=program.network.with_hardware(module, link))


def rough(seed: int) -> tuple[ModuleHardware, LinkHardware]:
    """Hardware on which everything goes wrong often."""
    r = random.Random(seed)
    module = ModuleHardware(
        one_qubit_time=r.choice([0.05, 0.1]),
        two_qubit_time=0.5,
        measure_time=r.choice([0.0, 1.0]),
        reset_time=0.2,
        one_qubit_error=0.02,
        two_qubit_error=0.05,
        measure_error=0.1,
        reset_error=0.07,
        data_t1=20.0,
        data_t2=r.choice([None, 15.0]),
        comm_t1=r.choice([None, 30.0]),
        comm_t2=10.0,
    )
    pair: dict[str, Any] = {"fidelity": 0.9} if r.random() < 0.5 else {"state": PAIR.tolist()}
    return module, LinkHardware(pair_time=3.0, latency=0.3, **pair)


@cache
def small_programs(number: int) -> list[DistributedProgram]:
    """Random legal programs that the oracle can follow."""
    found, seed = [], 0
    while len(found) < number:
        program = canonical(random_program(seed, rows=16, symbolic=False, small=True))
        seed += 1
        measured = int(np.count_nonzero(program.code == Op.MEASURE))
        if program.num_qubits > 0 and program.num_physical <= 6 and measured <= 5:
            found.append(on(program, *rough(seed)))
    return found


def word(program: DistributedProgram, bits: tuple[int, ...]) -> str:
    """Bits as Qiskit writes them."""
    groups = [r.bits for r in program.clbit_registers]
    loose = [b for b in range(len(bits)) if not any(b in g for g in groups)]
    groups += [tuple(loose)] if loose else []
    return " ".join("".join(str(bits[b]) for b in reversed(g)) for g in reversed(groups) if g)


@pytest.mark.parametrize("index", range(40))
@pytest.mark.parametrize("frames", [True, False])
def test_against_the_oracle(index: int, frames: bool) -> None:
    program = small_programs(40)[index]
    timeline = schedule(program, frames=frames)
    state = random_statevector(2**program.num_qubits, seed=index)
    result = noisy(program, timeline=timeline, method="density_matrix", input_state=state)
    # Qiskit's first qubit is the least significant.
    n = program.num_qubits
    vector = state.data.reshape((2,) * n).transpose(range(n)[::-1]).reshape(-1)
    oracle = Oracle(program, timeline, vector).run()
    if program.clbit_values:
        assert result.distribution is not None
        expected = {word(program, key): p for key, p in oracle.distribution().items()}
        for text, p in expected.items():
            assert result.distribution.get(text, 0.0) == pytest.approx(p, abs=1e-9)
        assert sum(result.distribution.values()) == pytest.approx(1)
    else:
        from distq.simulate.noise import noise_table

        outputs = noise_table(timeline).outputs.tolist()
        assert result.state is not None
        np.testing.assert_allclose(result.state, oracle.state(outputs), atol=1e-9)
