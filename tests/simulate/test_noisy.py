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
    cat_disentangle,
    cat_entangle,
    finish,
    oxford_network,
    random_program,
    teleported_cz,
)
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector, random_statevector

import distq
from distq import LinkHardware, ModuleHardware, Network
from distq.errors import UsageError
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
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


@pytest.mark.parametrize("index", range(36))
def test_against_the_oracle(index: int) -> None:
    program, frames = small_programs(36)[index], index % 2 == 0
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


SAMPLED = ("trajectories", "stabilizer")


def process(program: DistributedProgram, **options: Any) -> float:
    value = noisy(program, reference=True, **{"method": "density_matrix", **options}).process_fidelity
    assert value is not None
    return value


def state_teleport() -> DistributedProgram:
    """A qubit that moves to another module."""
    b = ProgramBuilder(oxford_network())
    q0, d1 = b.qubit(0, DATA, 0), b.qubit(1, DATA, 0)
    c0, c1 = b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    cat_entangle(b, 0, q0, c0, c1, 0, 1)
    cat_disentangle(b, q0, 0, c1, 1)
    b.add(Op.SWAP, (c1, d1))
    return finish(b, [q0], [d1])


@pytest.mark.parametrize("fidelity", [1.0, 0.97, 0.6, 0.25])
def test_gates_and_states_through_werner_pairs(fidelity: float) -> None:
    link = LinkHardware(fidelity=fidelity)
    gate = noisy(on(teleported_cz(), None, link), reference=True, method="density_matrix")
    assert gate.process_fidelity == pytest.approx(fidelity)
    assert gate.average_fidelity == pytest.approx((4 * fidelity + 1) / 5)
    state = noisy(on(state_teleport(), None, link), reference=True, method="density_matrix")
    assert state.average_fidelity == pytest.approx((2 * fidelity + 1) / 3)


@pytest.mark.parametrize("method", SAMPLED)
def test_methods_that_sample_agree_with_the_exact_one(method: str) -> None:
    module = ModuleHardware(
        two_qubit_error=0.02, measure_error=0.03, one_qubit_error=0.01, measure_time=1.0, data_t1=20.0, comm_t2=9.0
    )
    program = on(teleported_cz(), module, LinkHardware(state=PAIR.tolist(), pair_time=1.0))
    exact = process(program)
    sampled = noisy(program, reference=True, method=method, shots=4000, seed=3)
    assert sampled.process_fidelity == pytest.approx(exact, abs=4 * sampled.fidelity_error)
    assert 0.001 < sampled.fidelity_error < 0.01
    again = noisy(program, reference=True, method=method, shots=4000, seed=3)
    assert again.process_fidelity == sampled.process_fidelity
    # The sampled ones stop where the exact one tells them apart.
    assert exact < process(program, only=("pairs", "idling")) - 0.05


@pytest.mark.parametrize("p", [0.0876, 0.3])
def test_local_depolarising(p: float) -> None:
    """Oxford's knob: two-qubit depolarising p on both local CZ; Z on the qubit that is then measured does no harm."""
    program = on(teleported_cz(), ModuleHardware(two_qubit_error=0.5), LinkHardware())
    one = process(on(program, ModuleHardware(), LinkHardware()), local_two_qubit_error=0.0)
    assert one == pytest.approx(1)
    value = process(program, local_two_qubit_error=3 * p / 4)
    # Each gate leaves I on the data qubit's side of the measured one with 1 - p + 2p/16; two errors can cancel.
    keep = 1 - p * 14 / 16
    assert keep**2 < value < keep**2 + p * p / 4
    b = ProgramBuilder(Network.all_to_all(1, data=2, comm=1))
    q = [b.qubit(0, DATA, i) for i in range(2)]
    b.add(Op.CX, tuple(q))
    local = finish(b, q, q)
    assert process(on(local, ModuleHardware(two_qubit_error=3 * p / 4))) == pytest.approx(1 - 15 * p / 16)
    b.add(Op.SWAP, tuple(q))
    swapped = on(finish(b, q, q[::-1]), ModuleHardware(two_qubit_error=3 * p / 4))
    assert process(swapped) == pytest.approx(1 - 15 / 16 * (1 - (1 - p) ** 4))


def waiting_cz(first: float) -> DistributedProgram:
    """A CZ whose pair waits on both sides while gates of this length are carried out."""
    b = ProgramBuilder(oxford_network())
    q0, q1 = b.qubit(0, DATA, 0), b.qubit(1, DATA, 0)
    c0, c1 = b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    b.add(Op.H, (q0,))
    b.add(Op.H, (q1,))
    cat_entangle(b, 0, q0, c0, c1, 0, 1)
    b.add(Op.MCP, (c1, q1), (np.pi,))
    cat_disentangle(b, c1, 1, q0, 0)
    program = finish(b, [q0, q1], [q0, q1])
    # T2 of a pair, not of the qubits that wait for it; the H behind the gate is quick.
    return on(program, ModuleHardware(one_qubit_time=first, comm_t2=7.0), LinkHardware())


@pytest.mark.parametrize("fidelity", [1.0, 0.8])
def test_pairs_that_age_lose_coherence_on_both_sides(fidelity: float) -> None:
    time = 2.0
    program = on(waiting_cz(time), None, LinkHardware(fidelity=fidelity))
    q = (1 - fidelity) / 3
    aged = (fidelity + q) / 2 + (fidelity - q) / 2 * np.exp(-2 * time / 7.0)
    timeline = schedule(program)
    assert timeline.pair_ages.tolist() == [time]
    # The H before the measurement takes time, too, but nothing waits.
    assert process(program, timeline=timeline, only=("pairs", "ageing")) == pytest.approx(aged)


def test_wrong_bits() -> None:
    program = on(teleported_cz(), ModuleHardware(measure_error=0.1))
    assert process(program) == pytest.approx(0.9**2)


def test_the_published_pair_alone() -> None:
    """Oxford: with perfect local operations the pair gives an average CZ fidelity of 97.6 % (derived in the notes)."""
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    program = distq.compile(circuit, distq.preset("oxford-2025"))
    alone = noisy(program, reference=True, only=("pairs",))
    assert alone.average_fidelity == pytest.approx(0.976, abs=1e-3)
    # The pair is near psi+: without its correction nothing would be left.
    state = np.array(distq.preset("oxford-2025").links[0].hardware.state)  # type: ignore[union-attr]
    raw = on(program.program, None, LinkHardware(state=state.tolist(), bell="psi+"))
    assert process(raw, only=("pairs",)) == pytest.approx(alone.process_fidelity)


def some_circuit(seed: int, qubits: int = 4) -> QuantumCircuit:
    r = random.Random(seed)
    circuit = QuantumCircuit(qubits)
    for _ in range(8):
        a, b = r.sample(range(qubits), 2)
        circuit.u(*(r.uniform(-3, 3) for _ in range(3)), a)
        circuit.cp(r.uniform(-3, 3), a, b)
        if r.random() < 0.3:
            circuit.swap(a, b)
    return circuit


@pytest.mark.parametrize("method", ["density_matrix", "trajectories"])
@pytest.mark.parametrize("seed", range(2))
def test_without_noise_the_circuit_is_what_comes_out(seed: int, method: str) -> None:
    circuit = some_circuit(seed)
    program = distq.compile(circuit, Network.all_to_all(2, data=2, comm=2), verify="none", effort="fast")
    state = random_statevector(16, seed=seed)
    result = noisy(program, method=method, input_state=state, shots=5)
    assert result.fidelity == pytest.approx(1)
    assert result.fidelity_error == pytest.approx(0)
    if result.state is not None:
        expected = state.evolve(circuit).data
        assert np.vdot(expected, result.state @ expected).real == pytest.approx(1)


@pytest.mark.parametrize("method", ["density_matrix", "trajectories", "stabilizer"])
def test_outcomes(method: str) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(2)
    circuit.measure([1, 2], [1, 2])
    hardware = ModuleHardware(measure_error=0.02, two_qubit_error=0.03)
    network = Network.all_to_all(3, data=1, comm=2, hardware=hardware, link_hardware=LinkHardware(fidelity=0.9))
    program = distq.compile(circuit, network)
    clean = noisy(program, method=method, only=())
    assert set(clean.distribution or ()) == {"000", "111"}
    assert clean.hellinger_fidelity == pytest.approx(1, abs=0.01)
    result = noisy(program, method=method, shots=4000)
    exact = noisy(program, method="density_matrix")
    assert exact.total_variation is not None
    assert exact.total_variation > 0.03
    assert result.total_variation == pytest.approx(exact.total_variation, abs=0.03)
    assert result.fidelity is None
    if result.counts is not None:
        assert sum(result.counts.values()) == 4000


def test_large_clifford_programs_run_on_stabilizers() -> None:
    circuit = QuantumCircuit(30)
    circuit.h(0)
    for q in range(29):
        circuit.cx(q, q + 1)
    network = Network.all_to_all(3, data=10, comm=2, link_hardware=LinkHardware(fidelity=0.9))
    program = distq.compile(circuit, network, effort="fast", verify="none")
    result = noisy(program, shots=500)
    assert result.method == "stabilizer"
    assert result.fidelity == pytest.approx(0.9**program.ebits, abs=0.08)
    clean = noisy(program, shots=20, only=())
    assert clean.fidelity == 1


def test_the_hardware_is_that_of_the_schedule() -> None:
    program = teleported_cz()
    noisy_network = program.network.with_hardware(ModuleHardware(measure_error=0.1), LinkHardware(fidelity=0.9))
    timeline = schedule(program, noisy_network)
    assert process(program, timeline=timeline) < 0.75
    assert process(program, network=noisy_network) == process(program, timeline=timeline)
    assert process(program) == pytest.approx(1)


def test_a_link_listed_the_other_way_round_has_its_state_turned() -> None:
    program = teleported_cz()
    there = replace(program.network.links[0], hardware=LinkHardware(state=PAIR.tolist()))
    swap = np.eye(4)[[0, 2, 1, 3]]
    back = LinkHardware(state=(swap @ PAIR @ swap).tolist())
    turned = replace(there, a=there.b, b=there.a, hardware=back)
    values = [process(program, network=replace(program.network, links=(x,))) for x in (there, turned)]
    assert values[0] == pytest.approx(values[1])


def test_parameters() -> None:
    from qiskit.circuit import Parameter

    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.cp(2 * theta, 0, 1)
    program = distq.compile(circuit, Network.all_to_all(2, data=1, comm=1), verify="none")
    result = noisy(program, parameters={"theta": 0.4})
    expected = Statevector(circuit.assign_parameters([0.4])).data
    assert result.state is not None
    assert np.vdot(expected, result.state @ expected).real == pytest.approx(1)
    with pytest.raises(UsageError, match="theta"):
        noisy(program)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "magic"}, "density_matrix"),
        ({"shots": 0}, "at least 1"),
        ({"only": ("gates",)}, "two-qubit"),
        ({"local_two_qubit_error": 1.5}, "0 to 1"),
        ({"input_state": [1, 0]}, "amplitudes"),
        ({"input_state": [1, 1, 0, 0]}, "norm"),
        ({"input_state": [1, 0, 0, 0], "reference": True}, "exclude"),
        ({"input_state": [1, 0, 0, 0], "method": "stabilizer"}, "input_state"),
    ],
)
def test_refusals(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        noisy(teleported_cz(), **options)


def test_programs_that_are_too_large_or_no_clifford_programs() -> None:
    program = distq.compile(some_circuit(1, 14), Network.all_to_all(2, data=7, comm=2), verify="none", effort="fast")
    with pytest.raises(UsageError, match="at most 12"):
        noisy(program, method="density_matrix")
    with pytest.raises(UsageError, match="no Clifford gate"):
        noisy(program, method="stabilizer")
    with pytest.raises(UsageError, match="another program"):
        noisy(program, timeline=schedule(teleported_cz()))
