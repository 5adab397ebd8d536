"""Programs made by hand, and random well-formed ones; what is random is meaningless but legal."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

from distq.circuit.logical import Register
from distq.network.model import Link, Module, Network
from distq.ops import NUM_PARAMS, Op
from distq.program.types import COMM, DATA, MEASURED, DistributedProgram, ProgramBuilder

PI = math.pi


def finish(
    b: ProgramBuilder, inputs: list[int], outputs: list[int], clbits: tuple = (), **rest: Any
) -> DistributedProgram:
    n = len(inputs)
    rest.setdefault("qubit_registers", (Register("q", tuple(range(n))),) if n else ())
    rest.setdefault("clbit_registers", (Register("out", tuple(range(len(clbits)))),) if clbits else ())
    return b.build(
        input_qubit=np.array(inputs, np.int32), output_qubit=np.array(outputs, np.int32), clbit_values=clbits, **rest
    )


def cat_entangle(b: ProgramBuilder, link: int, source: int, half: int, far: int, a: int, c: int) -> None:
    """A copy of `source` of module a appears on `far` in module c; `half` is a's end of the pair."""
    ends = b.network.link_ends[link]
    b.add(Op.EPR, (half, far) if ends[0] == a else (far, half), link=link)
    b.add(Op.CX, (source, half))
    bit = b.measure(half, a)
    b.add(Op.X, (far,), guard=((b.send(bit, c), 1),))


def cat_disentangle(b: ProgramBuilder, copy: int, module: int, root: int, home: int) -> None:
    b.add(Op.H, (copy,))
    bit = b.measure(copy, module)
    b.add(Op.Z, (root,), guard=((b.send(bit, home), 1),))


def oxford_network() -> Network:
    return Network((Module("A", 1, 1), Module("B", 1, 1)), (Link("A", "B"),), "oxford")


def teleported_cz() -> DistributedProgram:
    """One CZ between two modules with one data and one communication qubit each."""
    b = ProgramBuilder(oxford_network())
    q0, q1 = b.qubit(0, DATA, 0), b.qubit(1, DATA, 0)
    c0, c1 = b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    cat_entangle(b, 0, q0, c0, c1, 0, 1)
    b.add(Op.MCP, (c1, q1), (PI,))
    cat_disentangle(b, c1, 1, q0, 0)
    return finish(b, [q0, q1], [q0, q1], circuit_name="cz")


def state_teleport() -> DistributedProgram:
    """U on a qubit, which then moves to another module and is measured there into the only classical bit."""
    b = ProgramBuilder(Network((Module("A", 1, 1), Module("B", 2, 1)), (Link("B", "A"),)))
    q0, c0 = b.qubit(0, DATA, 0), b.qubit(0, COMM, 0)
    c1, d1 = b.qubit(1, COMM, 0), b.qubit(1, DATA, 1)
    b.add(Op.U, (q0,), (0.3, 0.4, 0.5))
    cat_entangle(b, 0, q0, c0, c1, 0, 1)
    b.add(Op.H, (q0,))
    bit = b.measure(q0, 0)
    b.add(Op.Z, (c1,), guard=((b.send(bit, 1), 1),))
    b.add(Op.SWAP, (c1, d1))
    out = b.measure(d1, 1)
    return finish(b, [q0], [d1], ((((), out),),), circuit_name="teleport")


def fan_out() -> DistributedProgram:
    """One control in module B acts on a qubit in each of A and C, by copies in both, over a line of three modules."""
    b = ProgramBuilder(Network.line(3, 2, 2))
    q = [b.qubit(m, DATA, 0) for m in range(3)]
    left, right = b.qubit(1, COMM, 0), b.qubit(1, COMM, 1)
    at0, at2 = b.qubit(0, COMM, 0), b.qubit(2, COMM, 0)
    b.add(Op.H, (q[1],))
    cat_entangle(b, 0, q[1], left, at0, 1, 0)
    cat_entangle(b, 1, q[1], right, at2, 1, 2)
    b.add(Op.H, (q[0],))
    b.add(Op.MCP, (q[0], at0), (PI,))
    b.add(Op.H, (q[0],))
    b.add(Op.MCP, (q[2], at2), (0.7,))
    cat_disentangle(b, at0, 0, q[1], 1)
    cat_disentangle(b, at2, 2, q[1], 1)
    return finish(b, q, q, circuit_name="fan-out")


HANDMADE = {"teleported_cz": teleported_cz, "state_teleport": state_teleport, "fan_out": fan_out}

_ONE = [op for op in Op if op < 15]
_ANGLES = [0.0, -0.0, PI, -PI, PI / 2, 0.1, -1e-05, 1e-300, 3.0, 123456789.125, 2.0**0.5]


class RandomProgram:
    """A random legal program: rows of all kinds in one order that respects every rule of the format."""

    def __init__(
        self,
        seed: int,
        rows: int = 30,
        symbolic: bool = True,
        modules: int | None = None,
        small: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.small = small
        r = self.random
        k = modules or r.randint(1, 3 if small else 4)
        members = tuple(
            Module(
                f"m{i}" if r.random() < 0.8 else f"módulo-{i}/x",
                r.randint(1, 2 if small else 4),
                r.choice([0, 1] if small else [0, 1, 2, 3, None]),
            )
            for i in range(k)
        )
        names = [m.name for m in members]
        links = [
            Link(*r.sample([names[i], names[j]], 2)) for i in range(k) for j in range(i + 1, k) if r.random() < 0.8
        ]
        self.network = Network(members, tuple(links), "random" if r.random() < 0.5 else "")
        self.b = ProgramBuilder(self.network)
        self.places = [
            [(DATA, i) for i in range(m.data)] + [(COMM, i) for i in range(4 if m.comm is None else m.comm)]
            for m in members
        ]
        self.readable: list[list[int]] = [[] for _ in range(k)]
        self.measured: list[int] = []
        #: Values of classical bits as a source with conditional measurements makes them.
        self.values: list[tuple] = [(((), -1),) for _ in range(r.randint(0, 3))]
        self.expressions = self._expressions() if symbolic and r.random() < 0.5 else []
        self.build_rows(rows)

    def _expressions(self) -> list[Any]:
        from qiskit.circuit import Parameter, ParameterVector

        a, b, v = Parameter("theta"), Parameter("φ"), ParameterVector("v", 3)
        odd, clash = Parameter("my angle"), Parameter("c")
        return [
            *(a, b, a + b, 2 * a, -a, a / 3 - b, (a + 1) * (b - 2), a * b / 2 + 0.1, -(a - b), a**2 + a, 1 / a),
            *(v[0] + v[2], -v[1] * 3, odd, odd * clash - 1, 1e-7 * a + 1e9 * b, PI * a, a - a, a * 0.25 + PI),
            *((a + b) / (a - b), (2 * v[0]).sin() * 2 - b.exp(), (a * b).arctan(), a**0.5, a**7, (odd + b).abs()),
        ]

    def param(self) -> tuple[float, int]:
        if self.expressions and self.random.random() < 0.4:
            return math.nan, self.random.randrange(len(self.expressions))
        return self.random.choice([*_ANGLES, self.random.uniform(-7, 7)]), -1

    def guard(self, module: int) -> tuple[tuple[int, int], ...]:
        bits = self.readable[module]
        if not bits or self.random.random() < 0.6:
            return ()
        chosen = self.random.sample(bits, min(len(bits), self.random.choice([1, 1, 1, 2, 3])))
        return tuple((bit, self.random.randint(0, 1)) for bit in chosen)

    def build_rows(self, rows: int) -> None:
        r, b = self.random, self.b
        exchange = 0
        for step in range(rows):
            kind = r.random()
            m = r.randrange(len(self.places))
            qubits = [b.qubit(m, *p) for p in r.sample(self.places[m], min(len(self.places[m]), r.randint(1, 4)))]
            tag = step if r.random() < 0.7 else -1
            if kind < 0.3:
                op = r.choice(_ONE)
                params = [self.param() for _ in range(NUM_PARAMS[op])]
                values, exprs = tuple(p[0] for p in params), tuple(p[1] for p in params)
                b.add(op, (qubits[0],), values, exprs, self.guard(m), tag=tag)
            elif kind < 0.5 and len(qubits) > 1:
                value, expr = self.param()
                b.add(r.choice([Op.MCP, Op.PARITY]), tuple(qubits), (value,), (expr,), self.guard(m), tag=tag)
            elif kind < 0.6 and len(qubits) > 1:
                op = r.choice([Op.CX, Op.CX, Op.SWAP])
                witness = -1
                if op == Op.CX and r.random() < 0.3:
                    witness, exchange = exchange, exchange + r.randint(0, 1)
                b.add(op, tuple(qubits[:2]), guard=self.guard(m), tag=tag, exchange=witness)
            elif kind < 0.65:
                b.add(Op.RESET, (qubits[0],), guard=self.guard(m), tag=tag)
            elif kind < 0.8 and self.network.links:
                link = r.randrange(len(self.network.links))
                ends = self.network.link_ends[link].tolist()
                comm = [[p for p in self.places[e] if p[0] == COMM] for e in ends]
                if all(comm):
                    b.add(Op.EPR, tuple(b.qubit(e, *r.choice(c)) for e, c in zip(ends, comm)), link=link, tag=tag)
            else:
                guard = self.guard(m)
                bit = b.measure(qubits[0], m, guard, tag)
                self.readable[m].append(bit)
                self.measured.append(bit)
                if self.values and r.random() < 0.7:
                    c = r.randrange(len(self.values))
                    self.values[c] = ((guard, bit), *self.values[c]) if guard else (((), bit),)
            self.send()

    def send(self) -> None:
        r, b = self.random, self.b
        k = len(self.places)
        if k > 1 and self.measured and r.random() < 0.3:
            bit = r.choice(self.measured)
            to = r.choice([m for m in range(k) if m != b.bit_place(bit)[0]])
            self.readable[to].append(b.send(bit, to))

    def build(self) -> DistributedProgram:
        r, b = self.random, self.b
        data = [b.qubit(m, *p) for m, places in enumerate(self.places) for p in places if p[0] == DATA]
        n = r.randint(0, len(data))
        bits = [bit for module in self.readable for bit in module]
        clbits = self.values if r.random() < 0.6 else [self.any_value(bits) for _ in range(r.randint(0, 4))]
        half = r.randint(0, len(clbits))
        registers = (Register("out", tuple(range(half))), Register("m0_m", tuple(range(half, len(clbits)))))
        phase: Any = r.choice([0.0, 0.5])
        if self.expressions and r.random() < 0.3:
            phase = self.expressions[3]
        return finish(
            b, r.sample(data, n), r.sample(data, n), tuple(clbits), expressions=tuple(self.expressions),
            clbit_registers=registers, circuit_name=r.choice(["", "näme \"x\""]), global_phase=phase,
        )  # fmt: skip

    def any_value(self, bits: list[int]) -> tuple:
        """A decision list that no source would have."""
        r = self.random
        entries = []
        for _ in range(r.choice([0, 0, 0, 1, 2]) if bits else 0):
            chosen = r.sample(bits, min(len(bits), r.randint(1, 2)))
            entries.append((tuple((x, r.randint(0, 1)) for x in chosen), r.choice([*bits, -1])))
        entries.append(((), r.choice([*bits, -1])))
        return tuple(entries)


def random_program(seed: int, rows: int = 30, **options: Any) -> DistributedProgram:
    return RandomProgram(seed, rows, **options).build()


__all__ = ["HANDMADE", "MEASURED", "fan_out", "random_program", "state_teleport", "teleported_cz"]
