"""Random circuits of all supported operations, for the tests of the verifier."""

from __future__ import annotations

import math
import random

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate
from qiskit.circuit import library as lib
from qiskit.circuit.classical import expr
from qiskit.quantum_info import random_unitary


def random_gate(rng: random.Random, n: int) -> Gate:
    def a() -> float:
        special = (math.pi, math.pi / 2, math.pi / 4, -math.pi / 2, -math.pi, 2 * math.pi, 0.0)
        return rng.choice((rng.uniform(-7, 7), rng.choice(special)))

    one = [
        *(g() for g in (lib.HGate, lib.XGate, lib.YGate, lib.ZGate, lib.SGate, lib.SdgGate, lib.TGate)),
        *(g() for g in (lib.TdgGate, lib.SXGate, lib.SXdgGate)),
        *(g(a()) for g in (lib.RXGate, lib.RYGate, lib.RZGate, lib.PhaseGate)),
        lib.UGate(a(), a(), a()),
        lib.RGate(a(), a()),
    ]
    two = [
        *(g() for g in (lib.CXGate, lib.CYGate, lib.CZGate, lib.CHGate, lib.CSXGate, lib.CSGate, lib.CSdgGate)),
        *(g() for g in (lib.SwapGate, lib.iSwapGate, lib.ECRGate, lib.DCXGate)),
        *(g(a()) for g in (lib.CPhaseGate, lib.CRXGate, lib.CRYGate, lib.CRZGate)),
        *(g(a()) for g in (lib.RXXGate, lib.RYYGate, lib.RZZGate, lib.RZXGate)),
        lib.CUGate(a(), a(), a(), a()),
        lib.XXPlusYYGate(a(), a()),
        lib.XXMinusYYGate(a(), a()),
        lib.CXGate(ctrl_state=0),
        lib.CPhaseGate(a(), ctrl_state=0),
        lib.UnitaryGate(random_unitary(4, seed=rng.randrange(10**6))),
    ]
    three = [
        *(g() for g in (lib.CCXGate, lib.CCZGate, lib.CSwapGate, lib.RCCXGate)),
        lib.CCXGate(ctrl_state=1),
        lib.MCPhaseGate(a(), 2),
        lib.RYGate(a()).control(2, annotated=False),
        lib.RZGate(a()).control(2, ctrl_state=2, annotated=False),
        lib.CUGate(a(), a(), a(), a()).control(1, annotated=False),
    ]
    four = [
        lib.C3XGate(),
        lib.C3SXGate(),
        lib.MCPhaseGate(a(), 3),
        lib.RXGate(a()).control(3, annotated=False),
        lib.RC3XGate(),
    ]
    pools = [one, one, two, two]
    if n >= 3:
        pools.append(three)
    if n >= 4 and rng.random() < 0.3:
        pools.append(four)
    return rng.choice(rng.choice(pools))


def random_circuit(seed: int, n: int, size: int, control: bool = True) -> QuantumCircuit:
    """`control`: with measurements, resets and (nested) conditionals."""
    rng = random.Random(seed)
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(3, "c"))
    measured: list[int] = []

    def condition() -> object:
        bits, kind = circuit.clbits, rng.random()
        if kind < 0.5:
            return bits[rng.choice(measured)], rng.randrange(2)
        if kind < 0.7:
            return circuit.cregs[0], rng.randrange(8)
        function = rng.choice((expr.bit_or, expr.bit_and, expr.bit_xor, expr.logic_or))
        return function(bits[rng.randrange(3)], bits[rng.randrange(3)])

    def body(depth: int, count: int) -> None:
        for _ in range(count):
            r = rng.random()
            if control and r < 0.12:
                clbit = rng.randrange(3)
                circuit.measure(rng.randrange(n), clbit)
                measured.append(clbit)
            elif control and r < 0.16:
                circuit.reset(rng.randrange(n))
            elif control and depth < 2 and r < 0.30 and measured:
                with circuit.if_test(condition()) as otherwise:
                    body(depth + 1, rng.randint(1, 2))
                if rng.random() < 0.4:
                    with otherwise:
                        body(depth + 1, rng.randint(1, 2))
            else:
                gate = random_gate(rng, n)
                circuit.append(gate, rng.sample(range(n), gate.num_qubits))

    body(0, size)
    return circuit
