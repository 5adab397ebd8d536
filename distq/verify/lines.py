"""Line reader for one module file: accepts exactly the forms that docs/design.md lists."""

from __future__ import annotations

import cmath
import math
import re
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from distq.errors import InputError
from distq.verify.angles import Angle, evaluate, finite, names_in

#: Gates on one qubit, with their numbers of parameters.
ONE_QUBIT_GATES: dict[str, int] = {
    **dict.fromkeys(("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"), 0),
    **dict.fromkeys(("p", "rx", "ry", "rz"), 1),
    "U": 3,
}
#: A literal of a guard as written: kind "m" or "r", index, value.
Literal = tuple[str, int, int]

_GATE_DEF = re.compile(r"gate (\w+)(?:\((\w+)\))? (\w+(?:, ?\w+)*) \{(.*)\}")
_DECLARATION = re.compile(r"(qubit|bit)\[(\d+)\] ([dcmr]);")
_INPUT = re.compile(r"input float ([^\W\d]\w*);")
_GUARD = re.compile(r"if \((!?)([mr])\[(\d+)\]\) \{ (.*) \}")
_MEASURE = re.compile(r"m\[(\d+)\] = measure ([dc])\[(\d+)\];")
_OPERAND = re.compile(r"([dcq])\[(\d+)\]")
_ANNOTATION = re.compile(r"@distq\.(send|recv|exchange|birth|end) (\d+)")
_CTRL = re.compile(r"ctrl(?:\((\d+)\))? @ p")
_MODULE_LINE = re.compile(r"// distq program 1, module (\d+): (.*)")


@dataclass
class ModuleText:
    """The statements of one module file, in columns.

    Qubits are local: data qubit i is i, communication qubit j is data + j. `sends` and `receives` map the position of a
    statement to the messages of its annotations, `births` and `ends` to the number of a birth and to a qubit.
    """

    module: int
    path: str
    data: int = 0
    comm: int = 0
    measured: int = 0
    received: int = 0
    inputs: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    qubits: list[tuple[int, ...]] = field(default_factory=list)
    params: list[tuple[Angle, ...]] = field(default_factory=list)
    guard: list[tuple[Literal, ...]] = field(default_factory=list)
    bit: list[int] = field(default_factory=list)
    pair: list[int] = field(default_factory=list)
    exchange: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    sends: dict[int, list[int]] = field(default_factory=dict)
    receives: dict[int, list[int]] = field(default_factory=dict)
    births: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


class ModuleParser:
    """Reads statements line by line; `fail` says which line cannot be read."""

    def __init__(self, module: int, path: str, sizes: tuple[int, int, int, int]) -> None:
        self.out = ModuleText(module, path, *sizes)
        self.number = 0
        self.heads: dict[str, tuple[str, tuple[Angle, ...], int]] = {}
        self.operands: dict[str, tuple[int, ...]] = {}
        self.guards: dict[tuple[str, str, str], Literal] = {}
        self.defined: set[str] = set()
        self.send: list[int] = []
        self.recv: list[int] = []
        self.exchange = -1
        self.birth = self.end = -1

    def fail(self, problem: str) -> NoReturn:
        """Raise `InputError` for the present line."""
        raise InputError(f"{self.out.path}, line {self.number}: {problem}.")

    def header(self, lines: list[str]) -> int:
        """Read everything before the first statement; returns its position."""
        for wanted in ("OPENQASM 3.0;", 'include "stdgates.inc";'):
            self.number += 1
            if self.number > len(lines) or lines[self.number - 1] != wanted:
                self.fail(f"expected {wanted!r}")
        self.number += 1
        found = _MODULE_LINE.fullmatch(lines[2]) if len(lines) > 2 else None
        if found is None or int(found[1]) != self.out.module:
            self.fail(f"expected '// distq program 1, module {self.out.module}: ...'")
        declared: dict[str, int] = {}
        position = 3
        while position < len(lines):
            self.number = position + 1
            text = lines[position]
            if text.startswith("gate "):
                self._definition(text)
            elif text.startswith("input "):
                match = _INPUT.fullmatch(text)
                if match is None or match[1] in self.out.inputs:
                    self.fail(f"cannot read the declaration {text!r}")
                self.out.inputs.append(match[1])
            elif text.startswith(("qubit[", "bit[")):
                match = _DECLARATION.fullmatch(text)
                if match is None or match[3] in declared or (match[1] == "qubit") != (match[3] in "dc"):
                    self.fail(f"cannot read the declaration {text!r}")
                declared[match[3]] = int(match[2])
            elif text and not text.startswith("//"):
                break
            position += 1
        out = self.out
        for name, size in zip("dcmr", (out.data, out.comm, out.measured, out.received)):
            if declared.get(name, 0) != size:
                self.fail(f"register {name} has {declared.get(name, 0)} elements, but the manifest says {size}")
        return position

    def _definition(self, text: str) -> None:
        match = _GATE_DEF.fullmatch(text)
        if match is None:
            self.fail(f"cannot read the gate definition {text!r}")
        name, param, args = match[1], match[2], [a.strip() for a in match[3].split(",")]
        body = [s.strip() for s in match[4].split(";") if s.strip()]
        if name in self.defined or not _definition_is_right(name, param, args, body):
            self.fail(f"the definition of gate {name} is not that of a gate that programs may define")
        self.defined.add(name)

    def statements(self, lines: list[str], position: int) -> None:
        """Read all statements, which begin at `position`."""
        out = self.out
        kinds, qubits, params, guards = (
            out.kind.append,
            out.qubits.append,
            out.params.append,
            out.guard.append,
        )
        bits, pairs, exchanges, numbers = (
            out.bit.append,
            out.pair.append,
            out.exchange.append,
            out.line.append,
        )
        for number, line in enumerate(lines[position:], position + 1):
            self.number = number
            text = line
            if text.startswith("@"):
                self._annotation(text)
                continue
            if not text or text.startswith("//"):
                continue
            guard: tuple[Literal, ...] = ()
            while text.startswith("if "):
                text, literal = self._guard(text)
                guard += (literal,)
            if text.startswith("m["):
                bit, operand = self._measure(text)
                kind, pair = "measure", -1
                angles: tuple[Angle, ...] = ()
                where: tuple[int, ...] = (operand,)
            else:
                kind, angles, pair, where = self._gate(text)
                bit = -1
            if self.send or self.recv or self.exchange >= 0 or self.birth >= 0 or self.end >= 0:
                self._attach(kind, bool(guard))
            if pair >= 0 and guard:
                self.fail("a Bell pair cannot depend on a condition")
            kinds(kind)
            qubits(where)
            params(angles)
            guards(guard)
            bits(bit)
            pairs(pair)
            exchanges(self.exchange)
            numbers(number)
            self.exchange = -1
        if self.send or self.recv or self.exchange >= 0 or self.birth >= 0 or self.end >= 0:
            self.fail("the file ends after an annotation; it is incomplete")

    def _annotation(self, text: str) -> None:
        match = _ANNOTATION.fullmatch(text)
        if match is None:
            self.fail(
                f"unknown annotation {text!r}; known are @distq.send, @distq.recv, @distq.exchange, @distq.birth and "
                "@distq.end"
            )
        value = int(match[2])
        if match[1] == "send":
            self.send.append(value)
        elif match[1] == "recv":
            self.recv.append(value)
        elif match[1] in ("birth", "end"):
            if self.birth >= 0 or self.end >= 0:
                self.fail("two birth or end annotations before one statement")
            if match[1] == "birth":
                self.birth = value
            else:
                self.end = value
        elif self.exchange >= 0:
            self.fail("two exchange annotations before one statement")
        else:
            self.exchange = value

    def _attach(self, kind: str, conditional: bool) -> None:
        position = len(self.out.kind)
        if self.send:
            if kind != "measure":
                self.fail(f"message {self.send[0]} is sent, but no measurement follows its annotation")
            self.out.sends[position] = self.send
        if self.recv:
            self.out.receives[position] = self.recv
        if self.exchange >= 0 and kind != "cx":
            self.fail("an exchange consists of cx gates")
        if self.birth >= 0 or self.end >= 0:
            if kind != "reset" or conditional:
                self.fail("a qubit begins, or is given up, with a reset without condition")
            if self.birth >= 0:
                self.out.births[position] = self.birth
            else:
                self.out.ends[position] = self.end
            self.birth = self.end = -1
        self.send, self.recv = [], []

    def _guard(self, text: str) -> tuple[str, Literal]:
        match = _GUARD.fullmatch(text)
        if match is None:
            self.fail(f"cannot read the condition in {text!r}")
        key = (match[1], match[2], match[3])
        literal = self.guards.get(key)
        if literal is None:
            index = int(match[3])
            size = self.out.measured if match[2] == "m" else self.out.received
            if index >= size:
                self.fail(f"bit {match[2]}[{index}] is not declared")
            literal = self.guards[key] = (match[2], index, 0 if match[1] else 1)
        return match[4], literal

    def _measure(self, text: str) -> tuple[int, int]:
        match = _MEASURE.fullmatch(text)
        if match is None:
            self.fail(f"cannot read the statement {text!r}")
        bit = int(match[1])
        if bit >= self.out.measured:
            self.fail(f"bit m[{bit}] is not declared")
        return bit, self._qubit(match[2], int(match[3]))

    def _qubit(self, register: str, index: int) -> int:
        if register == "q" or index >= (self.out.data if register == "d" else self.out.comm):
            self.fail(f"qubit {register}[{index}] is not declared")
        return index if register == "d" else self.out.data + index

    def _gate(self, text: str) -> tuple[str, tuple[Angle, ...], int, tuple[int, ...]]:
        # Heads (name and angles) and operands repeat: most of the time both are looked up, not parsed.
        cut = text.rfind(") ") + 1 if ")" in text else text.find(" ")
        if cut <= 0 or not text.endswith(";"):
            self.fail(f"cannot read the statement {text!r}")
        head, tail = text[:cut], text[cut + 1 : -1]
        known = self.heads.get(head)
        if known is None:
            known = self.heads[head] = self._head(head)
        where = self.operands.get(tail)
        if where is None:
            where = self.operands[tail] = self._operand_list(tail)
        kind, angles, arity = known
        if len(where) != arity:
            self.fail(f"gate {head} acts on {arity} qubits, not {len(where)}")
        if kind == "epr":
            if where[0] < self.out.data:
                self.fail("half of a Bell pair on a data qubit; Bell pairs arrive on communication qubits")
            return kind, (), int(angles[0]), where
        return kind, angles, -1, where

    def _operand_list(self, text: str) -> tuple[int, ...]:
        where = []
        for part in text.split(", "):
            match = _OPERAND.fullmatch(part)
            if match is None:
                self.fail(f"cannot read the qubits {text!r}")
            where.append(self._qubit(match[1], int(match[2])))
        if len(set(where)) != len(where):
            self.fail(f"a qubit is named twice in {text!r}")
        return tuple(where)

    def _head(self, head: str) -> tuple[str, tuple[Angle, ...], int]:
        """(kind, angles, number of qubits) of a gate's name with its angles."""
        name = head
        angles: tuple[Angle, ...] = ()
        result: tuple[str, tuple[Angle, ...], int]
        controls = _CTRL.match(head)
        if controls is not None:
            name, rest = "ctrl", head[controls.end() :]
            angles = self._angles(rest)
        elif head.endswith(")"):
            name, _, rest = head.partition("(")
            angles = self._angles("(" + rest)
        if name == "ctrl":
            result, count = ("mcp", angles, int(controls[1] or 1) + 1), 1  # type: ignore[index]
            if result[2] < 2:
                self.fail("a controlled gate needs a control")
        elif name in ONE_QUBIT_GATES:
            result, count = (name, angles, 1), ONE_QUBIT_GATES[name]
        elif name == "cz":
            result, count = ("mcp", (math.pi,), 2), 0
        elif name == "cp":
            result, count = ("mcp", angles, 2), 1
        elif name in ("cx", "swap"):
            result, count = (name, (), 2), 0
        elif name == "reset":
            result, count = (name, (), 1), 0
        elif name == "rzz":
            result, count = ("parity", angles, 2), 1
        elif re.fullmatch(r"parity([3-9]|[1-9]\d+)", name):
            result, count = ("parity", angles, int(name[6:])), 1
        elif name == "epr" and len(angles) == 1 and isinstance(angles[0], float) and angles[0].is_integer():
            result, count = ("epr", angles, 1), 1
        else:
            self.fail(f"unknown gate {head!r}")
        if len(angles) != count:
            self.fail(f"gate {name} takes {count} angles, not {len(angles)}")
        if (name in ("sxdg", "rzz", "epr") or name.startswith("parity")) and name not in self.defined:
            self.fail(f"gate {name} is used but not defined")
        return result

    def _angles(self, text: str) -> tuple[Angle, ...]:
        if not (text.startswith("(") and text.endswith(")")):
            self.fail(f"cannot read the angles {text!r}")
        return tuple(self._angle(part.strip()) for part in _split_commas(text[1:-1]))

    def _angle(self, text: str) -> Angle:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isnan(value) and not math.isinf(value) and "_" not in text:
            return value
        try:
            names = names_in(text, formula=False)
            unknown = sorted(names - set(self.out.inputs))
            if not names:
                return finite(evaluate(text, {}))
        except (ValueError, TypeError, ArithmeticError) as error:
            self.fail(f"the angle {text!r} cannot be read ({error})")
        if unknown:
            self.fail(f"the angle {text!r} refers to {unknown[0]!r}, which is not declared as an input")
        return text


def _split_commas(text: str) -> list[str]:
    """Split at the commas that stand outside every bracket."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _definition_is_right(name: str, param: str | None, args: list[str], body: list[str]) -> bool:
    """Whether a gate's definition means what its name says in this format."""
    if name == "epr":
        return param is not None and len(args) == 1 and not body
    if name == "sxdg":
        return param is None and len(args) == 1 and _is_sxdg(args[0], body)
    if name == "rzz" or re.fullmatch(r"parity([3-9]|[1-9]\d+)", name):
        wanted = 2 if name == "rzz" else int(name[6:])
        return param is not None and len(set(args)) == len(args) == wanted and _is_parity(param, args, body)
    return False


def _is_sxdg(arg: str, body: list[str]) -> bool:
    half = 0.5 + 0.5j
    gates = {
        "h": np.array([[1, 1], [1, -1]]) / math.sqrt(2),
        "s": np.diag([1, 1j]),
        "sdg": np.diag([1, -1j]),
        "x": np.array([[0, 1], [1, 0]]),
        "z": np.diag([1, -1]),
        "sx": np.array([[half, half.conjugate()], [half.conjugate(), half]]),
    }
    product = np.eye(2, dtype=complex)
    for statement in body:
        gate, _, operand = statement.partition(" ")
        if gate not in gates or operand != arg:
            return False
        product = gates[gate] @ product
    overlap = np.trace(gates["sx"] @ product) / 2  # sx sxdg = 1 up to a phase
    return cmath.isclose(abs(overlap), 1.0, abs_tol=1e-12)


def _is_parity(param: str, args: list[str], body: list[str]) -> bool:
    """CX gates around one rz(param) on the parity of all arguments, with the CX gates undone."""
    masks = {a: 1 << i for i, a in enumerate(args)}
    rotated: list[int] = []
    for statement in body:
        head, _, operands = statement.partition(" ")
        names = [o.strip() for o in operands.split(",")]
        if any(n not in masks for n in names):
            return False
        if head == "cx" and len(names) == 2 and names[0] != names[1]:
            masks[names[1]] ^= masks[names[0]]
        elif head == f"rz({param})" and len(names) == 1:
            rotated.append(masks[names[0]])
        else:
            return False
    undone = all(masks[a] == 1 << i for i, a in enumerate(args))
    return undone and rotated == [(1 << len(args)) - 1]


def parse_module(text: str, module: int, path: str, sizes: tuple[int, int, int, int]) -> ModuleText:
    """Parse the text of one module file.

    Args:
        text: the file's content.
        module: its index.
        path: its name, for messages.
        sizes: data qubits, communication qubits, measured and received bits, as the manifest declares them.

    Raises:
        InputError: a line is not of a known form, or names something that is not declared.
    """
    if text and not text.endswith("\n"):
        raise InputError(f"{path}: the last line is cut off; write the program again.")
    lines = [line.strip() for line in text.split("\n")[:-1]]
    parser = ModuleParser(module, path, sizes)
    position = parser.header(lines)
    parser.statements(lines, position)
    return parser.out
