"""Random source circuits with true witnesses, and ways to make these false."""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator, random_unitary
from qiskit.synthesis import TwoQubitWeylDecomposition

_PLAIN = {
    "h",
    "x",
    "y",
    "z",
    "s",
    "sdg",
    "t",
    "tdg",
    "sx",
    "sxdg",
    "p",
    "rx",
    "ry",
    "rz",
    "cx",
    "cz",
    "cp",
    "rzz",
    "swap",
}
_SWAP = np.eye(4)[[0, 2, 1, 3]]


def lines_of(circuit: QuantumCircuit, wires: Sequence[int]) -> list[str]:
    """Gates in the language of the module files; qubit i is on wires[i]."""
    found = []
    for item in circuit.data:
        name, angles = item.operation.name, [float(p) for p in item.operation.params]
        operands = [wires[circuit.find_bit(q).index] for q in item.qubits]
        if name in ("mcp", "mcphase", "ccz", "ccx"):
            name = f"ctrl({len(operands) - 1}) @ p"
            angles = angles or [math.pi]
        elif name == "u":
            name = "U"
        else:
            assert name in _PLAIN or name.startswith("parity"), name
        if item.operation.name == "ccx":
            found.append(f"h q[{operands[-1]}];")
        head = f"{name}({', '.join(map(repr, angles))})" if angles else name
        found.append(f"{head} {', '.join(f'q[{w}]' for w in operands)};")
        if item.operation.name == "ccx":
            found.append(f"h q[{operands[-1]}];")
    return found


@dataclass
class Piece:
    """Instructions on a few qubits, and lines that are equal to them (a function of the wires of these qubits)."""

    source: QuantumCircuit
    lines: Callable[[Sequence[int]], list[str]]


def equal(source: QuantumCircuit, target: QuantumCircuit) -> Piece:
    """Lines for a circuit that is equal to the source up to one-qubit gates at the end."""
    return Piece(source, lambda wires: lines_of(leading(source).inverse(), wires) + lines_of(target, wires))


def leading(circuit: QuantumCircuit) -> QuantumCircuit:
    """One-qubit gates before the first gate on two or more qubits of their wire."""
    first = circuit.copy_empty_like()
    met = set()
    for item in circuit.data:
        if item.operation.num_qubits > 1:
            met |= set(item.qubits)
        elif item.qubits[0] not in met:
            first.append(item)
    return transpile(first, basis_gates=["u"], optimization_level=0)


def parity_line(angle: float, wires: Sequence[int]) -> str:
    name = "rzz" if len(wires) == 2 else f"parity{len(wires)}"
    return f"{name}({angle!r}) {', '.join(f'q[{w}]' for w in wires)};"


def turn(rng: random.Random, circuit: QuantumCircuit, qubit: int) -> None:
    """A random one-qubit gate."""
    kind = rng.randrange(4)
    if kind == 0:
        getattr(circuit, rng.choice(["h", "s", "t", "sx", "x"]))(qubit)
    elif kind == 1:
        circuit.u(*(rng.uniform(-3, 3) for _ in range(3)), qubit)
    else:
        getattr(circuit, rng.choice(["rx", "ry", "rz"]))(rng.uniform(-3, 3), qubit)


def cx_rz_cx(rng: random.Random) -> Piece:
    c, angle = QuantumCircuit(2), rng.uniform(-3, 3)
    c.cx(0, 1)
    c.rz(angle, 1)
    if rng.random() < 0.5:
        c.t(0)
    c.cx(0, 1)
    return Piece(c, lambda w: [parity_line(angle, w)])


def ladder(rng: random.Random, most: int = 6) -> Piece:
    """A tree of CX around a rotation, along random Pauli axes."""
    n = rng.randint(3, most)
    c, angle = QuantumCircuit(n), rng.uniform(-3, 3)
    axes = [rng.choice("XYZ") for _ in range(n)]
    frame = QuantumCircuit(n)
    for q, axis in enumerate(axes):
        if axis == "X":
            frame.h(q)
        elif axis == "Y":
            frame.sdg(q)
            frame.h(q)
    tree = QuantumCircuit(n)
    order = list(range(n))
    rng.shuffle(order)
    while len(order) > 1:
        leaf = order.pop(rng.randrange(len(order) - 1))
        tree.cx(leaf, rng.choice(order))
    c.compose(frame, inplace=True)
    c.compose(tree, inplace=True)
    c.rz(angle, order[0])
    c.compose(tree.inverse(), inplace=True)
    c.compose(frame.inverse(), inplace=True)
    return Piece(c, lambda w: [parity_line(angle, w)])


def toffoli(rng: random.Random) -> Piece:
    c = QuantumCircuit(3)
    gate = rng.choice([lib.CCXGate(), lib.CCZGate(), lib.MCPhaseGate(rng.uniform(-3, 3), 2)])
    c.append(gate, rng.sample(range(3), 3))
    return equal(transpile(c, basis_gates=["u", "cx"], optimization_level=0), c)


def expanded(rng: random.Random, most: int = 5) -> Piece:
    """A gate on three or more qubits as smaller ones."""
    n = rng.randint(3, most)
    c = QuantumCircuit(n)
    c.mcp(rng.uniform(-3, 3), list(range(n - 1)), n - 1)
    return equal(c, transpile(c, basis_gates=["u", "cx"], optimization_level=0))


def weyl(rng: random.Random, matrix: np.ndarray, mirrored: bool) -> Callable[[Sequence[int]], list[str]]:
    d = TwoQubitWeylDecomposition(_SWAP @ matrix if mirrored else matrix, fidelity=None)
    c = QuantumCircuit(2)
    c.unitary(d.K2r, 0)
    c.unitary(d.K2l, 1)
    c.h([0, 1])
    c.rzz(-2 * d.a, 0, 1)
    c.h([0, 1])
    c.rx(math.pi / 2, [0, 1])
    c.rzz(-2 * d.b, 0, 1)
    c.rx(-math.pi / 2, [0, 1])
    c.rzz(-2 * d.c, 0, 1)
    if rng.random() < 0.5:
        c.unitary(d.K1r, 0)
        c.unitary(d.K1l, 1)
    plain = transpile(c, basis_gates=["u", "rzz"], optimization_level=0)
    return lambda w: lines_of(plain, w) + ([f"swap q[{w[0]}], q[{w[1]}];"] if mirrored else [])


def resynthesis(rng: random.Random) -> Piece:
    """A run of gates on a pair as its Weyl factors."""
    c = QuantumCircuit(2)
    for _ in range(rng.randint(1, 5)):
        pair = rng.choice([(0, 1), (1, 0)])
        name = rng.choice(["cx", "cz", "rxx", "swap_free", "unitary", "iswap", "cp"])
        if name in ("rxx", "cp"):
            getattr(c, name)(rng.uniform(-3, 3), *pair)
        elif name == "unitary":
            c.unitary(random_unitary(4, seed=rng.randrange(10**6)), pair)
        elif name == "swap_free":
            c.ecr(*pair)
        else:
            getattr(c, name)(*pair)
        turn(rng, c, rng.randrange(2))
    mirrored = rng.random() < 0.3
    return Piece(c, weyl(rng, Operator(c).data, mirrored))


def opaque(rng: random.Random) -> Piece:
    c = QuantumCircuit(2)
    gate = rng.choice([lib.iSwapGate(), lib.DCXGate(), lib.XXPlusYYGate(rng.uniform(-3, 3), 0.4), None])
    c.append(gate or lib.UnitaryGate(random_unitary(4, seed=rng.randrange(10**6))), [0, 1])
    return Piece(c, weyl(rng, Operator(c).data, rng.random() < 0.5))


PIECES = (cx_rz_cx, ladder, toffoli, expanded, resynthesis, opaque)


@dataclass
class Case:
    """A circuit with true witnesses."""

    circuit: QuantumCircuit
    blocks: list[dict[str, Any]] = field(default_factory=list)


def random_case(seed: int, n: int = 5, pieces: int = 4) -> Case:
    """Pieces and other gates, moved past each other where they commute."""
    rng = random.Random(seed)
    #: (instruction, qubits, block or -1)
    items: list[tuple[Any, tuple[int, ...], int]] = []
    wire = list(range(n))
    lines: list[list[str]] = []
    swaps = []
    for _ in range(pieces):
        for _ in range(rng.randrange(3)):
            c = QuantumCircuit(n)
            q = rng.randrange(n)
            if rng.random() < 0.5:
                turn(rng, c, q)
            else:
                getattr(c, rng.choice(["cx", "cz", "swap"]))(q, rng.choice([x for x in range(n) if x != q]))
            item = c.data[0]
            where = tuple(c.find_bit(b).index for b in item.qubits)
            items.append((item.operation, where, -1))
            if item.operation.name == "swap":
                a, b = where
                wire[a], wire[b] = wire[b], wire[a]
        piece = rng.choice(PIECES)(rng)
        k = piece.source.num_qubits
        if k > n:
            continue
        qubits = rng.sample(range(n), k)
        text = piece.lines([wire[q] for q in qubits])
        number = len(lines)
        lines.append(text)
        for item in piece.source.data:
            where = tuple(qubits[piece.source.find_bit(b).index] for b in item.qubits)
            items.append((item.operation, where, number if len(where) > 1 else -1))
        if text[-1].startswith("swap"):
            swaps.append(number)
            a, b = qubits
            wire[a], wire[b] = wire[b], wire[a]
    _mix(rng, items, set(swaps))
    circuit = QuantumCircuit(n)
    blocks: list[dict[str, Any]] = [{"of": [], "is": text} for text in lines]
    for position, (operation, where, number) in enumerate(items):
        circuit.append(operation, where)
        if number >= 0:
            blocks[number]["of"].append(position)
    return Case(circuit, blocks)


def _mix(rng: random.Random, items: list[tuple[Any, tuple[int, ...], int]], fixed: set[int]) -> None:
    """Exchange neighbours that commute: gates on several qubits, of different blocks."""
    for _ in range(3 * len(items)):
        i = rng.randrange(max(1, len(items) - 1))
        (a, qa, na), (b, qb, nb) = items[i : i + 2] if len(items) > 1 else (items[0], items[0])
        if na == nb or "swap" in (a.name, b.name) or na in fixed or nb in fixed:
            continue
        common = set(qa) & set(qb)
        if common and (len(qa) < 2 or len(qb) < 2 or not _commute(a, qa, b, qb)):
            continue
        items[i], items[i + 1] = items[i + 1], items[i]


def _commute(a: Any, qa: Sequence[int], b: Any, qb: Sequence[int]) -> bool:
    """Whether they commute, and act along one axis on every common qubit."""
    qubits = sorted({*qa, *qb})
    first, second = QuantumCircuit(len(qubits)), QuantumCircuit(len(qubits))
    for circuit, order in ((first, (0, 1)), (second, (1, 0))):
        for k in order:
            operation, where = ((a, qa), (b, qb))[k]
            circuit.append(operation, [qubits.index(q) for q in where])
    return (
        a.name in ("cx", "cz", "cp", "mcphase")
        and b.name in ("cx", "cz", "cp", "mcphase")
        and bool(np.allclose(Operator(first).data, Operator(second).data) and len(set(qa) & set(qb)) == 1)
    )


def mutants(case: Case, rng: random.Random) -> list[tuple[str, list[dict[str, Any]]]]:
    """Witnesses with one change each; nearly all of them are false."""
    found = []

    def edit(kind: str, change: Callable[[list[dict[str, Any]], dict[str, Any]], bool]) -> None:
        blocks = copy.deepcopy(case.blocks)
        if change(blocks, rng.choice(blocks)):
            found.append((kind, blocks))

    def line_edit(old: str, new: Callable[[str], str]) -> Callable[[Any, dict[str, Any]], bool]:
        def change(blocks: Any, block: dict[str, Any]) -> bool:
            places = [i for i, line in enumerate(block["is"]) if old in line and new(line) != line]
            if places:
                i = rng.choice(places)
                block["is"][i] = new(block["is"][i])
            return bool(places)

        return change

    def angle(line: str) -> str:
        head, _, rest = line.rpartition("(") if not line.startswith("ctrl") else line.partition("p(")
        cut = rest.index(")")
        return f"{head}{'p' * line.startswith('ctrl')}({rest[:cut]} + {rng.choice([0.1, -0.1, 1e-4])}{rest[cut:]}"

    def legs(line: str) -> str:
        head, _, operands = line.rstrip(";").partition(" q[")
        names = ("q[" + operands).split(", ")
        if len(names) > 1 and rng.random() < 0.3:
            names.reverse()
        else:
            free = [w for w in range(case.circuit.num_qubits) if f"q[{w}]" not in names]
            if free:
                names[rng.randrange(len(names))] = f"q[{rng.choice(free)}]"
        return f"{head} {', '.join(names)};"

    def drop_of(blocks: Any, block: dict[str, Any]) -> bool:
        block["of"].pop(rng.randrange(len(block["of"])))
        return True

    def add_of(blocks: Any, block: dict[str, Any]) -> bool:
        used = {p for b in blocks for p in b["of"]}
        free = [i for i, item in enumerate(case.circuit.data) if i not in used and item.operation.num_qubits > 1]
        if free:
            block["of"].append(rng.choice(free))
        return bool(free)

    def steal(blocks: Any, block: dict[str, Any]) -> bool:
        other = rng.choice(blocks)
        block["of"].append(rng.choice(other["of"]))
        return True

    def exchange(blocks: Any, block: dict[str, Any]) -> bool:
        other = rng.choice(blocks)
        if other is block or other["is"] == block["is"]:
            return False
        other["of"], block["of"] = block["of"], other["of"]
        return True

    def swap_lie(blocks: Any, block: dict[str, Any]) -> bool:
        if block["is"][-1].startswith("swap"):
            block["is"].pop()
        else:
            a, b = rng.sample(range(case.circuit.num_qubits), 2)
            block["is"].append(f"swap q[{a}], q[{b}];")
        return True

    def axis(blocks: Any, block: dict[str, Any]) -> bool:
        i = rng.randrange(len(block["is"]))
        # Gates on other wires are local factors, which may be added.
        wire = rng.choice(re.findall(r"q\[\d+\]", " ".join(block["is"])))
        block["is"].insert(i, f"{rng.choice(['h', 'sx', 'rx(0.3)', 's'])} {wire};")
        return True

    edit("wrong angle", line_edit("(", angle))
    edit("wrong leg", line_edit("q[", legs))
    edit("wrong axis", axis)
    edit("line dropped", lambda bs, b: bool(b["is"].pop(rng.randrange(len(b["is"])))))
    edit("line repeated", lambda bs, b: b["is"].insert(0, rng.choice(b["is"])) is None)
    edit("instruction missing", drop_of)
    edit("instruction too many", add_of)
    edit("instruction in two blocks", steal)
    edit("instructions of another block", exchange)
    edit("block twice", lambda bs, b: bs.append(copy.deepcopy(b)) is None)
    edit("reference to the block itself", lambda bs, b: b["of"].append(-1 - bs.index(b)) is None)
    edit("lie about a swap", swap_lie)
    return found
