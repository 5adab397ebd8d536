"""Reads a program directory, independently of the compiler, into one sequence over all modules.

The verifier's own reader: it follows the format of docs/design.md and shares no code with the writer. What
it returns is consistent (checksums, declarations, pairs, messages, order of reads and writes), but nothing is
said yet about whether the program is right; that is what the methods of `distq.verify` decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distq.errors import InputError
from distq.verify.angles import Angle, evaluate, finite
from distq.verify.lines import Literal, ModuleText, parse_module
from distq.verify.manifest import Manifest, read_manifest
from distq.verify.witnesses import Witness

#: A guard: all of these (bit, value) hold; the bits are measured bits of any module. Empty is true.
Guard = tuple[tuple[int, int], ...]
#: (guard, bit) entries; the first whose guard holds gives the value; bit -1 is the constant 0.
Decision = tuple[tuple[Guard, int], ...]


@dataclass(frozen=True)
class ProgramFiles:
    """A program directory, read and merged: one entry per statement in every column, in one valid order.

    Physical qubits are numbered over the whole network: module by module, data qubits before communication
    qubits. Bits are the measured bits of all modules, module by module; received bits are already replaced by
    the bit that was sent. `kind` is one of x y z h s sdg t tdg sx sxdg p rx ry rz U (one qubit), `mcp`
    (diag(1, ..., 1, e^{it}) on two or more qubits: cz, cp, ctrl @ p), `parity` (exp(-i t/2 Z...Z) on two or
    more: rzz, parityK), `cx`, `swap`, `measure`, `reset`, and `epr` (both halves, one statement).

    Attributes:
        directory: where it was read from.
        manifest: the checked manifest.
        qubit_offsets: (k+1,) first physical qubit of each module.
        bit_offsets: (k+1,) first bit of each module.
        qubit_module, qubit_comm: for every physical qubit its module and whether it is a communication qubit.
        kind: name of the statement.
        qubits: physical qubits that it acts on.
        params: its angles [rad], floats or expressions of the inputs (unbound parameters and derived inputs).
        guard: conjunction of (bit, value); a statement is carried out if it holds.
        bit: the bit that a measurement writes (0 if it is not carried out), else -1.
        pair: number of the Bell pair, else -1.
        exchange: number of the exchange that a cx belongs to, else -1.
        module, line: where it stands; for epr that of the first half.
        inputs, outputs: physical qubit of each qubit of the source circuit at the start and at the end.
        clbits: value of each classical bit of the source circuit at the end.
        parameters: (name in the source, name in the files) of each unbound parameter.
        blocks: witnesses, by number.
        births: for each reset that begins a qubit of the source, by its position: the number of the birth.
        ends: for each reset that gives up a qubit of the source, by its position: which.
    """

    directory: str
    manifest: Manifest
    qubit_offsets: list[int]
    bit_offsets: list[int]
    qubit_module: list[int]
    qubit_comm: list[bool]
    kind: list[str]
    qubits: list[tuple[int, ...]]
    params: list[tuple[Angle, ...]]
    guard: list[Guard]
    bit: list[int]
    pair: list[int]
    exchange: list[int]
    module: list[int]
    line: list[int]
    inputs: list[int]
    outputs: list[int]
    clbits: list[Decision]
    parameters: tuple[tuple[str, str], ...]
    blocks: tuple[Witness, ...] = ()
    births: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def num_physical(self) -> int:
        """Number of physical qubits that the files declare."""
        return self.qubit_offsets[-1]

    @property
    def num_bits(self) -> int:
        """Number of measured bits of all modules."""
        return self.bit_offsets[-1]

    def qubit_name(self, qubit: int) -> str:
        """A physical qubit in words."""
        m = self.qubit_module[qubit]
        index = qubit - self.qubit_offsets[m]
        data = self.manifest.modules[m].data
        place = f"c[{index - data}]" if self.qubit_comm[qubit] else f"d[{index}]"
        return f"{place} of module {self.manifest.modules[m].name!r}"

    def place(self, row: int) -> str:
        """File and line of a statement."""
        return f"{self.manifest.modules[self.module[row]].file}, line {self.line[row]}"

    def inputs_of(self, values: Mapping[str, float]) -> dict[str, float]:
        """The number that every input of the files stands for, derived ones included.

        Args:
            values: of the parameters, by their names in the source.

        Raises:
            InputError: a formula has no finite real value there.
        """
        local = {inner: float(values[outer]) for outer, inner in self.parameters}
        try:
            derived = {name: finite(evaluate(formula, local)) for name, formula in self.manifest.derived}
        except (ArithmeticError, ValueError, TypeError) as error:
            raise InputError(f"{self.directory}: a derived input cannot be evaluated ({error}).") from error
        return local | derived

    def bind(self, values: Mapping[str, float]) -> ProgramFiles:
        """The same program with numbers for its parameters; `values` maps their names in the source."""
        if not self.parameters:
            return self
        local = self.inputs_of(values)
        try:
            params = [
                p if all(type(a) is float for a in p) else tuple(finite(evaluate(a, local)) for a in p)
                for p in self.params
            ]
            blocks = tuple(block.bind(local) for block in self.blocks)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise InputError(f"{self.directory}: an angle cannot be evaluated ({error}).") from error
        return replace(self, params=params, blocks=blocks)


def read_directory(path: str | Path) -> ProgramFiles:
    """Read a saved program.

    Args:
        path: the directory that holds `manifest.json` and the module files.

    Raises:
        InputError: a file is missing, edited, truncated or not of the format; the files contradict each other
            or the manifest; or no order of the modules lets every statement proceed (deadlock).
    """
    directory = Path(path)
    manifest = read_manifest(directory)
    texts: list[ModuleText] = []
    for index, module in enumerate(manifest.modules):
        content = _module_bytes(directory / module.file, module.sha256)
        sizes = (module.data, module.comm, module.measured, module.received)
        texts.append(parse_module(content, index, module.file, sizes))
    _check_schedule(manifest, texts)
    known = {inner for _, inner in manifest.parameters} | {name for name, _ in manifest.derived}
    for text in texts:
        for name in text.inputs:
            if name not in known:
                raise InputError(f"{text.path}: input {name!r} is neither a parameter nor a derived input.")
    return _Merger(str(directory), manifest, texts).run()


def _module_bytes(path: Path, sha256: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); compile the program again.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: was changed after it was written (its checksum is not the manifest's).")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start}).") from error


def _check_schedule(manifest: Manifest, texts: list[ModuleText]) -> None:
    if manifest.schedule_lengths is None:
        return
    lengths = [len(t.kind) for t in texts]
    if manifest.schedule_lengths != lengths:
        raise InputError(f"manifest.json: the schedule is for {manifest.schedule_lengths} statements, not {lengths}.")


class _Merger:
    """Joins the modules' own orders into one, always the lowest-numbered module that can proceed."""

    def __init__(self, directory: str, manifest: Manifest, texts: list[ModuleText]) -> None:
        self.directory, self.manifest, self.texts = directory, manifest, texts
        self.qubit_offsets, self.bit_offsets = [0], [0]
        for m in manifest.modules:
            self.qubit_offsets.append(self.qubit_offsets[-1] + m.data + m.comm)
            self.bit_offsets.append(self.bit_offsets[-1] + m.measured)
        self.cursor = [0] * len(texts)
        self.sent = [False] * len(manifest.messages)
        self.written = bytearray(self.bit_offsets[-1])
        #: For every module the received bits that can be read: index -> origin.
        self.readable: list[dict[int, int]] = [{} for _ in texts]
        self.paired = [False] * len(manifest.pairs)
        self.guards: list[dict[tuple[Literal, ...], Guard]] = [{(): ()} for _ in texts]
        self.order: list[tuple[int, int]] = []
        self.guard_column: list[Guard] = []
        self.epr_partner: dict[int, int] = {}

    def fail(self, module: int, row: int, problem: str) -> InputError:
        text = self.texts[module]
        return InputError(f"{text.path}, line {text.line[row]}: {problem}.")

    def run(self) -> ProgramFiles:
        lengths = [len(t.kind) for t in self.texts]
        while True:
            for module in range(len(self.texts)):
                if self.cursor[module] < lengths[module] and self._advance(module):
                    break
            else:
                break
        for module, length in enumerate(lengths):
            if self.cursor[module] < length:
                row = self.cursor[module]
                unread = self.texts[module].receives.get(row)
                waits = f"message {unread[0]}" if unread else f"Bell pair {self.texts[module].pair[row]}"
                raise self.fail(module, row, f"the program is deadlocked: this statement waits for {waits} for ever")
        self._check_complete()
        return self._result()

    def _advance(self, module: int) -> bool:
        """Run a module until it is blocked or has done something that another module may wait for."""
        text, start = self.texts[module], self.cursor[module]
        kinds, count = text.kind, len(text.kind)
        row = start
        cache = self.guards[module]
        while row < count:
            if row in text.receives and not self._receive(module, row):
                break
            guard = cache.get(text.guard[row])
            if guard is None:
                guard = self._guard(module, row)
            kind = kinds[row]
            if kind == "epr":
                if not self._pair(module, row):
                    break
                row += 1
                break
            self.order.append((module, row))
            self.guard_column.append(guard)
            if kind == "measure":
                self._write(module, row)
                if row in text.sends:
                    row += 1
                    break
            row += 1
        self.cursor[module] = row
        return row > start

    def _receive(self, module: int, row: int) -> bool:
        for number in self.texts[module].receives[row]:
            if number >= len(self.sent):
                raise self.fail(module, row, f"message {number} is not in the manifest")
            message = self.manifest.messages[number]
            if message.target != module:
                raise self.fail(module, row, f"message {number} goes to another module")
            if not self.sent[number]:
                return False
        for number in self.texts[module].receives[row]:
            message = self.manifest.messages[number]
            if message.into in self.readable[module]:
                raise self.fail(module, row, f"bit r[{message.into}] is received twice")
            self.readable[module][message.into] = self.bit_offsets[message.source] + message.bit
        del self.texts[module].receives[row]
        return True

    def _guard(self, module: int, row: int) -> Guard:
        literals = self.texts[module].guard[row]
        found = []
        for kind, index, value in literals:
            if kind == "r":
                if index not in self.readable[module]:
                    raise self.fail(module, row, f"bit r[{index}] is read before a message brought it")
                bit = self.readable[module][index]
            else:
                bit = self.bit_offsets[module] + index
                if not self.written[bit]:
                    raise self.fail(module, row, f"bit m[{index}] is read before it is measured")
            found.append((bit, value))
        # Once readable, a bit stays so: the same text means the same guard from here on.
        guard = self.guards[module][literals] = tuple(dict.fromkeys(found))
        return guard

    def _write(self, module: int, row: int) -> None:
        text = self.texts[module]
        bit = self.bit_offsets[module] + text.bit[row]
        if self.written[bit]:
            raise self.fail(module, row, f"bit m[{text.bit[row]}] is measured twice; every bit is written once")
        self.written[bit] = 1
        for number in text.sends.get(row, ()):
            if number >= len(self.sent):
                raise self.fail(module, row, f"message {number} is not in the manifest")
            message = self.manifest.messages[number]
            if (message.source, message.bit) != (module, text.bit[row]):
                raise self.fail(module, row, f"message {number} carries another bit, by the manifest")
            if self.sent[number]:
                raise self.fail(module, row, f"message {number} is sent twice")
            self.sent[number] = True

    def _pair(self, module: int, row: int) -> bool:
        """Both halves of a pair are one event: it happens when both modules stand before it."""
        number = self.texts[module].pair[row]
        if number >= len(self.paired):
            raise self.fail(module, row, f"Bell pair {number} is not in the manifest")
        pair = self.manifest.pairs[number]
        ends = self.manifest.links[pair.link]
        if module not in ends:
            raise self.fail(module, row, f"Bell pair {number} belongs to a link between other modules")
        if self.paired[number]:
            raise self.fail(module, row, f"Bell pair {number} is made twice")
        mine, other = (pair.a, pair.b) if module == ends[0] else (pair.b, pair.a)
        text = self.texts[module]
        if text.qubits[row][0] != text.data + mine:
            raise self.fail(module, row, f"Bell pair {number} arrives on c[{mine}], by the manifest")
        partner = ends[1] if module == ends[0] else ends[0]
        there, position = self.texts[partner], self.cursor[partner]
        if position >= len(there.kind) or there.kind[position] != "epr" or there.pair[position] != number:
            return False
        if position in there.receives and not self._receive(partner, position):
            return False
        if there.qubits[position][0] != there.data + other:
            raise self.fail(partner, position, f"Bell pair {number} arrives on c[{other}], by the manifest")
        self.paired[number] = True
        self.cursor[partner] += 1
        self.epr_partner[len(self.order)] = self.qubit_offsets[partner] + there.data + other
        self.order.append((module, row))
        self.guard_column.append(())
        return True

    def _check_complete(self) -> None:
        for number, done in enumerate(self.paired):
            if not done:
                raise InputError(f"manifest.json: Bell pair {number} occurs in no module file.")
        for number, done in enumerate(self.sent):
            if not done:
                raise InputError(f"manifest.json: message {number} is sent by no module file.")

    def _result(self) -> ProgramFiles:
        texts, order = self.texts, self.order
        shifted: list[dict[tuple[int, ...], tuple[int, ...]]] = [{} for _ in texts]
        qubits: list[tuple[int, ...]] = []
        for module, row in order:
            local = texts[module].qubits[row]
            where = shifted[module].get(local)
            if where is None:
                offset = self.qubit_offsets[module]
                where = shifted[module][local] = tuple(q + offset for q in local)
            qubits.append(where)
        for position, partner in self.epr_partner.items():
            # The half in the link's first module comes first.
            module, row = order[position]
            first = self.manifest.links[self.manifest.pairs[texts[module].pair[row]].link][0]
            both = (*qubits[position], partner)
            qubits[position] = both if module == first else both[::-1]
        bits = [
            self.bit_offsets[m] + texts[m].bit[r] if texts[m].bit[r] >= 0 else -1 for m, r in order
        ]  # fmt: skip
        modules = self.manifest.modules
        return ProgramFiles(
            directory=self.directory,
            manifest=self.manifest,
            qubit_offsets=self.qubit_offsets,
            bit_offsets=self.bit_offsets,
            qubit_module=[i for i, m in enumerate(modules) for _ in range(m.data + m.comm)],
            qubit_comm=[c for m in modules for c in (*(False,) * m.data, *(True,) * m.comm)],
            kind=[texts[m].kind[r] for m, r in order],
            qubits=qubits,
            params=[texts[m].params[r] for m, r in order],
            guard=self.guard_column,
            bit=bits,
            pair=[texts[m].pair[r] for m, r in order],
            exchange=[texts[m].exchange[r] for m, r in order],
            module=[m for m, _ in order],
            line=[texts[m].line[r] for m, r in order],
            inputs=[self._place(p) for p in self.manifest.inputs],
            outputs=[self._place(p) for p in self.manifest.outputs],
            clbits=[self._decision(i, d) for i, d in enumerate(self.manifest.clbits)],
            parameters=self.manifest.parameters,
            blocks=self.manifest.blocks,
            births=self._births(),
            ends=self._named([text.ends for text in texts], self.manifest.num_qubits, "qubit"),
        )

    def _births(self) -> dict[int, int]:
        births = self._named([text.births for text in self.texts], len(self.manifest.births), "birth")
        if sorted(births.values()) != list(range(len(self.manifest.births))):
            raise InputError("manifest.json: not every birth occurs once in the module files.")
        return births

    def _named(self, marks: list[dict[int, int]], size: int, what: str) -> dict[int, int]:
        """The numbers that statements name, by the positions of these."""
        if not any(marks):
            return {}
        found = {position: marks[m][row] for position, (m, row) in enumerate(self.order) if row in marks[m]}
        for position, number in found.items():
            if number >= size:
                m, row = self.order[position]
                raise InputError(
                    f"{self.texts[m].path}, line {self.texts[m].line[row]}: {what} {number} does not exist; there are "
                    f"{size}."
                )
        return found

    def _place(self, place: tuple[int, str, int]) -> int:
        module, register, index = place
        return self.qubit_offsets[module] + index + (self.manifest.modules[module].data if register == "c" else 0)

    def _decision(self, clbit: int, entries: list[Any]) -> Decision:
        def bit(place: Any) -> int:
            number = self.bit_offsets[place[0]] + place[2]
            if not self.written[number]:
                raise InputError(f"manifest.json: classical bit {clbit} refers to a bit that is never measured.")
            return number

        return tuple(
            (
                tuple((bit(literal), literal[3]) for literal in conjunction),
                -1 if place is None else bit(place),
            )
            for conjunction, place in entries
        )
