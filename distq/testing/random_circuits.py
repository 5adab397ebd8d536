"""Random circuits and networks with everything that distq supports, from any source of choices."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from distq.errors import UsageError
from distq.network.model import Link, Module, Network

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

T = TypeVar("T")

#: What a random circuit may hold.
FEATURES = (
    "standard",
    "clifford",
    "multi",
    "unitary",
    "swap",
    "measure",
    "reset",
    "conditional",
    "loop",
    "parameters",
    "initialize",
    "barrier",
    "pauli",
    "runs",
)
#: Not in a circuit unless it is asked for: multi-qubit gates written out in gates on one and two qubits.
WRITTEN_OUT = "written-out"
#: All that leaves the circuit unitary.
UNITARY_FEATURES = ("standard", "clifford", "multi", "unitary", "swap", "parameters", "barrier", "runs")

TOPOLOGIES = ("all-to-all", "line", "ring", "star", "tree")


class Choices(Protocol):
    """Where random choices come from: `random.Random` through `RandomChoices`, or hypothesis."""

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""

    def angle(self) -> float:
        """An angle [rad]."""


class RandomChoices:
    """Choices made by a seeded `random.Random`."""

    def __init__(self, seed: int | str) -> None:
        self.rng = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return self.rng.randint(low, high)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.rng.randrange(len(options))]

    def angle(self) -> float:
        """An angle [rad]: a simple fraction of pi as often as a generic number."""
        if self.rng.random() < 0.4:
            return self.rng.choice((math.pi, math.pi / 2, -math.pi / 2, math.pi / 4, -math.pi, 2 * math.pi, 0.0))
        return self.rng.uniform(-4, 4)


_ONE = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "id")
_ONE_ANGLE = ("p", "rx", "ry", "rz")
_TWO = ("cx", "cy", "cz", "ch", "cs", "csdg", "csx", "dcx", "ecr", "iswap")
_TWO_ANGLE = ("cp", "crx", "cry", "crz", "rxx", "ryy", "rzz", "rzx")
_THREE = ("ccx", "ccz", "cswap", "rccx")
_CLIFFORD_ONE = ("h", "x", "y", "z", "s", "sdg", "sx", "sxdg")
_CLIFFORD_TWO = ("cx", "cy", "cz", "swap", "iswap", "dcx", "ecr")


def random_circuit(
    choices: Choices,
    num_qubits: int,
    num_gates: int,
    features: Sequence[str] = FEATURES,
    *,
    max_clbits: int = 4,
    max_parameters: int = 2,
) -> QuantumCircuit:
    """A random circuit.

    Args:
        choices: source of randomness.
        num_qubits: at least one.
        num_gates: operations at the outermost level, barriers and blocks included.
        features: some of `FEATURES`, or `WRITTEN_OUT`.
        max_clbits: classical bits, if anything is measured.
        max_parameters: different unbound parameters.

    Raises:
        UsageError: an unknown feature.
    """
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    unknown = sorted(set(features) - {*FEATURES, WRITTEN_OUT})
    if unknown:
        raise UsageError(f"feature {unknown[0]!r} is not known; the features are {', '.join(FEATURES)}")
    first = choices.integer(1, num_qubits)
    registers: list[Any] = [QuantumRegister(first, "q")]
    if first < num_qubits:
        registers.append(QuantumRegister(num_qubits - first, "r"))
    if set(features) & {"measure", "conditional"}:
        total = choices.integer(1, max(1, max_clbits))
        part = choices.integer(1, total)
        registers.append(ClassicalRegister(part, "c"))
        if part < total:
            registers.append(ClassicalRegister(total - part, "e"))
    circuit = QuantumCircuit(*registers)
    writer = _Writer(choices, circuit, tuple(features), max_parameters)
    while len(circuit.data) < num_gates:
        writer.room = num_gates - len(circuit.data)
        writer.operation(circuit, 0)
    return circuit


def _written_out(gate: Any) -> QuantumCircuit:
    """A gate in one- and two-qubit gates."""
    from qiskit import QuantumCircuit

    body = QuantumCircuit(gate.num_qubits)
    body.append(gate, range(gate.num_qubits))
    while any(len(step.qubits) > 2 for step in body.data):
        body = body.decompose()
    return body


class _Writer:
    def __init__(self, choices: Choices, circuit: QuantumCircuit, features: tuple[str, ...], parameters: int) -> None:
        from qiskit.circuit import Parameter

        self.choices, self.features = choices, features
        self.qubits, self.clbits = list(circuit.qubits), list(circuit.clbits)
        self.cregs = list(circuit.cregs)
        #: How many operations there may still be.
        self.room = 0
        self.names = [Parameter(name) for name in ("theta", "phi", "w")[:parameters]]
        kinds = []
        for feature, weight in (
            ("standard", 8), ("clifford", 5), ("multi", 2), ("unitary", 1), ("swap", 1), ("measure", 3),
            ("reset", 1), ("conditional", 2), ("loop", 1), ("parameters", 2), ("initialize", 1), ("barrier", 1),
            ("pauli", 2), ("runs", 3), (WRITTEN_OUT, 3),
        ):  # fmt: skip
            if feature in features:
                kinds.extend([feature] * weight)
        if not self.clbits:
            kinds = [k for k in kinds if k not in ("measure", "conditional")]
        self.kinds = kinds

    def some(self, count: int) -> list[Any]:
        """Different qubits."""
        rest = list(self.qubits)
        return [rest.pop(self.choices.integer(0, len(rest) - 1)) for _ in range(count)]

    def operation(self, circuit: QuantumCircuit, depth: int) -> None:
        """Append one operation; blocks are at most two deep."""
        kind = self.choices.choice(self.kinds)
        if kind in ("conditional", "loop") and depth >= 2:
            kind = "clifford" if "clifford" in self.features else "standard"
        least = {"multi": 3, "pauli": 3, WRITTEN_OUT: 3, "swap": 2, "runs": 2}
        if len(self.qubits) < least.get(kind, 1):
            kind = "standard" if "standard" in self.features else "clifford"
        getattr(self, f"add_{kind.replace('-', '_')}")(circuit, depth)

    def add_standard(self, circuit: QuantumCircuit, depth: int) -> None:
        c = self.choices
        if len(self.qubits) < 2 or c.integer(0, 2) == 0:
            (q,) = self.some(1)
            which = c.integer(0, 5)
            if which < 3:
                getattr(circuit, c.choice(_ONE))(q)
            elif which < 5:
                getattr(circuit, c.choice(_ONE_ANGLE))(c.angle(), q)
            else:
                circuit.u(c.angle(), c.angle(), c.angle(), q)
            return
        a, b = self.some(2)
        which = c.integer(0, 9)
        if which < 4:
            getattr(circuit, c.choice(_TWO))(a, b)
        elif which < 9:
            getattr(circuit, c.choice(_TWO_ANGLE))(c.angle(), a, b)
        else:
            circuit.cu(c.angle(), c.angle(), c.angle(), c.angle(), a, b)

    def add_clifford(self, circuit: QuantumCircuit, depth: int) -> None:
        c = self.choices
        if len(self.qubits) < 2 or c.integer(0, 1) == 0:
            getattr(circuit, c.choice(_CLIFFORD_ONE))(*self.some(1))
        else:
            getattr(circuit, c.choice(_CLIFFORD_TWO))(*self.some(2))

    def add_multi(self, circuit: QuantumCircuit, depth: int) -> None:
        c = self.choices
        which = c.integer(0, 4)
        if which < 2:
            getattr(circuit, c.choice(_THREE))(*self.some(3))
            return
        qubits = self.some(c.integer(3, min(5, len(self.qubits))))
        if which == 2:
            circuit.mcx(qubits[:-1], qubits[-1])
        elif which == 3:
            circuit.mcp(c.angle(), qubits[:-1], qubits[-1])
        else:
            from qiskit.circuit.library import XGate, YGate, ZGate

            base = c.choice((XGate, YGate, ZGate))()
            controls = len(qubits) - 1
            state = c.integer(0, 2**controls - 1)
            circuit.append(base.control(controls, ctrl_state=state, annotated=False), qubits)

    def add_pauli(self, circuit: QuantumCircuit, depth: int) -> None:
        """A Pauli rotation on three or more qubits."""
        from qiskit.circuit.library import PauliEvolutionGate
        from qiskit.quantum_info import SparsePauliOp

        c = self.choices
        qubits = self.some(c.integer(3, len(self.qubits)))
        # Half of them ZZ...Z, which share packets.
        letters = "Z" if c.integer(0, 1) else "ZXY"
        label = "".join(c.choice(letters) for _ in qubits)
        circuit.append(PauliEvolutionGate(SparsePauliOp(label), time=c.angle() / 2), qubits)

    def add_unitary(self, circuit: QuantumCircuit, depth: int) -> None:
        from qiskit.quantum_info import random_unitary

        size = min(self.choices.integer(1, 2), len(self.qubits))
        circuit.unitary(random_unitary(2**size, seed=self.choices.integer(0, 10**6)), self.some(size))

    def add_swap(self, circuit: QuantumCircuit, depth: int) -> None:
        circuit.swap(*self.some(2))

    def add_runs(self, circuit: QuantumCircuit, depth: int) -> None:
        """Several gates on one pair: a SWAP or two thirds of it in CX, or any run, with tiny angles now and then."""
        c = self.choices
        a, b = self.some(2)
        which = c.integer(0, 3)
        if which < 2:
            for k in range(min(3 - which, self.room)):
                circuit.cx(*((a, b) if k % 2 == 0 else (b, a)))
            return
        for _ in range(min(c.integer(2, 6), self.room)):
            x, y = (a, b) if c.integer(0, 1) else (b, a)
            kind = c.integer(0, 5)
            if kind < 2:
                circuit.cx(x, y)
            elif kind == 2:
                circuit.cp(c.choice((1e-9, 1e-5, c.angle())), x, y)
            elif kind == 3:
                circuit.rxx(c.angle(), x, y)
            elif kind == 4:
                circuit.h(x)
            else:
                circuit.u(c.angle(), c.angle(), c.angle(), x)

    def add_written_out(self, circuit: QuantumCircuit, depth: int) -> None:
        """A multi-controlled gate in CX and T; gates that undo each other around others; or two CX."""
        from qiskit.circuit.library import C4XGate, CCXGate, MCPhaseGate, RCCXGate

        c = self.choices
        which = c.integer(0, 7)
        gate: Any = CCXGate() if which < 2 else RCCXGate()
        if which == 5 and len(self.qubits) > 3:
            gate = C4XGate() if len(self.qubits) > 4 and c.integer(0, 1) else MCPhaseGate(c.angle(), 3)
        body = _written_out(gate)
        qubits = self.some(gate.num_qubits)
        if which == 6 and 2 * len(body.data) < self.room:
            circuit.compose(body, qubits, inplace=True)
            circuit.rz(c.angle(), qubits[-1])
            circuit.compose(body.inverse(), qubits, inplace=True)
        elif which == 7 and 4 * len(body.data) <= self.room:
            other = self.some(gate.num_qubits)
            for step, where in ((body, qubits), (body, other), (body.inverse(), qubits), (body.inverse(), other)):
                circuit.compose(step, where, inplace=True)
        elif which not in (3, 4) and len(body.data) <= self.room:
            circuit.compose(body, qubits, inplace=True)
        else:
            circuit.cx(*qubits[:2])
            if which != 4 and self.room > 2:
                circuit.rz(c.angle(), qubits[1])
            if self.room > 1:
                circuit.cx(*qubits[:2])

    def add_measure(self, circuit: QuantumCircuit, depth: int) -> None:
        circuit.measure(self.some(1)[0], self.choices.choice(self.clbits))

    def add_reset(self, circuit: QuantumCircuit, depth: int) -> None:
        circuit.reset(self.some(1)[0])

    def add_barrier(self, circuit: QuantumCircuit, depth: int) -> None:
        circuit.barrier(*self.some(self.choices.integer(1, len(self.qubits))))

    def add_initialize(self, circuit: QuantumCircuit, depth: int) -> None:
        from qiskit.quantum_info import random_statevector

        size = min(self.choices.integer(1, 2), len(self.qubits))
        state = random_statevector(2**size, seed=self.choices.integer(0, 10**6))
        circuit.initialize(state.data, self.some(size))

    def add_parameters(self, circuit: QuantumCircuit, depth: int) -> None:
        c = self.choices
        angle: Any = c.choice(self.names)
        form = c.integer(0, 6)
        if form == 1:
            angle = 2 * angle + c.angle()
        elif form == 2:
            angle = angle - c.choice(self.names) / 3
        elif form == 3:
            angle = -angle
        elif form == 4:
            angle = (angle * 2).sin() + c.choice(self.names) / 2
        elif form == 5:
            angle = angle**7 / 9
        elif form == 6:
            angle = (angle * c.choice(self.names)).exp().arctan()
        if len(self.qubits) < 2 or c.integer(0, 1) == 0:
            getattr(circuit, c.choice(_ONE_ANGLE))(angle, *self.some(1))
        else:
            getattr(circuit, c.choice(("cp", "crz", "rzz", "rxx", "crx")))(angle, *self.some(2))

    def condition(self) -> Any:
        from qiskit.circuit.classical import expr

        c = self.choices
        form = c.integer(0, 5)
        bit = c.choice(self.clbits)
        if form <= 2:
            return (bit, c.integer(0, 1))
        register = c.choice(self.cregs)
        if form == 3:
            return (register, c.integer(0, 2 ** len(register) - 1))
        other = c.choice(self.clbits)
        if form == 4:
            return expr.bit_and(bit, expr.bit_not(other)) if bit != other else expr.logic_not(bit)
        return expr.bit_xor(bit, other) if bit != other else expr.lift(bit)

    def add_conditional(self, circuit: QuantumCircuit, depth: int) -> None:
        from qiskit.circuit import IfElseOp

        c = self.choices
        bodies: list[Any] = []
        for _ in range(c.integer(1, 2)):
            body = circuit.copy_empty_like()
            for _ in range(c.integer(1, 2)):
                self.operation(body, depth + 1)
            bodies.append(body)
        block = IfElseOp(self.condition(), bodies[0], bodies[1] if len(bodies) > 1 else None)
        circuit.append(block, circuit.qubits, circuit.clbits)

    def add_loop(self, circuit: QuantumCircuit, depth: int) -> None:
        from qiskit.circuit import ForLoopOp

        body = circuit.copy_empty_like()
        for _ in range(self.choices.integer(1, 2)):
            self.operation(body, depth + 1)
        indices = range(self.choices.integer(0, 3))
        circuit.append(ForLoopOp(indices, None, body), circuit.qubits, circuit.clbits)


def random_network(
    choices: Choices,
    num_qubits: int,
    *,
    min_modules: int = 1,
    max_modules: int = 4,
    comm: Sequence[int | None] = (1, 2, 3, None),
    topologies: Sequence[str] = TOPOLOGIES,
    same_comm: bool = False,
) -> Network:
    """A random connected network with room for `num_qubits`, often with none to spare.

    Args:
        choices: source of randomness.
        num_qubits: data qubits that are needed.
        min_modules: least number of modules.
        max_modules: largest number of modules.
        comm: numbers of communication qubits to choose from.
        topologies: some of `TOPOLOGIES`.
        same_comm: the same number of communication qubits in every module.
    """
    modules = choices.integer(min_modules, max_modules)
    data = [1] * modules
    spare = choices.choice((0, 0, 1, 2))
    for _ in range(max(0, num_qubits - modules) + spare):
        data[choices.integer(0, modules - 1)] += 1
    shared = choices.choice(comm)
    counts = [shared if same_comm else choices.choice(comm) for _ in range(modules)]
    topology = choices.choice(topologies)
    pairs: list[tuple[int, int]] = []
    if topology == "all-to-all":
        pairs = [(i, j) for i in range(modules) for j in range(i + 1, modules)]
    elif topology == "star":
        pairs = [(0, j) for j in range(1, modules)]
    elif topology == "tree":
        pairs = [(choices.integer(0, j - 1), j) for j in range(1, modules)]
    else:
        pairs = [(j, j + 1) for j in range(modules - 1)]
        if topology == "ring" and modules > 2:
            pairs.append((modules - 1, 0))
    names = [f"m{i}" for i in range(modules)]
    return Network(
        tuple(Module(name, d, c) for name, d, c in zip(names, data, counts)),
        tuple(Link(names[a], names[b]) for a, b in pairs),
        f"random-{topology}-{modules}",
    )
