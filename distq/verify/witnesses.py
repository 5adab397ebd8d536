"""Witnesses: which instructions of the source the compiler has replaced by which gates, as the manifest says it.

What is read here is only well-formed. `distq.verify.substitute` proves it or refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from distq.errors import InputError
from distq.verify.angles import Angle, evaluate, finite, names_in
from distq.verify.lines import ModuleParser

#: Place of an instruction of the source, as in `distq.verify.source.Source.paths`.
Path = tuple[int, ...]


class WitnessGate(NamedTuple):
    """A gate by its kind (as in `ProgramFiles.kind`), wires and angles [rad]."""

    kind: str
    wires: tuple[int, ...]
    angles: tuple[Angle, ...]


class Witness(NamedTuple):
    """One block: the instructions below `paths` and the gates of the blocks `earlier` are `gates`, then `swaps`.

    Each of `swaps` exchanges the names of two wires. Witnesses are used in the order of `turn`.
    """

    paths: tuple[Path, ...]
    earlier: tuple[int, ...]
    gates: tuple[WitnessGate, ...]
    swaps: tuple[tuple[int, int], ...]
    turn: int = 0

    def bind(self, values: Mapping[str, float]) -> Witness:
        """The same with numbers for the parameters, by their names in the files.

        Raises:
            ArithmeticError, ValueError, TypeError: an angle cannot be evaluated.
        """
        if not any(isinstance(a, str) for g in self.gates for a in g.angles):
            return self
        gates = (g._replace(angles=tuple(finite(evaluate(a, values)) for a in g.angles)) for g in self.gates)
        return self._replace(gates=tuple(gates))


def read_witnesses(
    entries: Sequence[Any], num_qubits: int, names: Collection[str], fail: Callable[[str], NoReturn]
) -> tuple[Witness, ...]:
    """Read `blocks` of the manifest.

    Args:
        entries: the list, as it came out of the JSON document.
        num_qubits: of the circuit.
        names: parameters that angles may refer to.
        fail: raises `InputError` for the given problem.

    Raises:
        InputError: an entry is not of the form that docs/design.md describes.
    """
    lines = _Lines(num_qubits, names)
    found = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), list) for key in ("of", "is")):
            fail(f"block {number} is not {{'of': [...], 'is': [...]}}")
        paths: list[Path] = []
        earlier: list[int] = []
        for source in entry["of"]:
            if _is_count(source):
                paths.append((source,))
            elif isinstance(source, list) and source and all(map(_is_count, source)):
                paths.append(tuple(source))
            elif _is_count(-1 - source if isinstance(source, int) else None) and -1 - source < number:
                earlier.append(-1 - source)
            else:
                fail(f"block {number} refers to {source!r}, which is no instruction and no earlier block")
        try:
            gates, swaps = lines.gates(entry["is"])
        except InputError as error:
            fail(f"block {number}: {str(error).rstrip('.')}")
        turn = entry.get("turn", 0)
        if not _is_count(turn):
            fail(f"the turn of block {number} is {turn!r}, which is no number from 0 on")
        found.append(Witness(tuple(paths), tuple(earlier), gates, swaps, turn))
    return tuple(found)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class _Lines(ModuleParser):
    """Gates of a witness: the statements of a module file, on one register q, and without anything classical."""

    def __init__(self, num_qubits: int, names: Collection[str]) -> None:
        super().__init__(0, "", (num_qubits, 0, 0, 0))
        self.out.inputs = list(names)
        self.defined = _Everything()
        self.known: dict[str, WitnessGate] = {}

    def fail(self, problem: str) -> NoReturn:
        raise InputError(f"{problem}.")

    def gates(self, lines: Sequence[Any]) -> tuple[tuple[WitnessGate, ...], tuple[tuple[int, int], ...]]:
        """The gates, and the swaps at the end."""
        gates: list[WitnessGate] = []
        swaps: list[tuple[int, int]] = []
        for line in lines:
            gate = self.known.get(line) if isinstance(line, str) else self.fail(f"{line!r} is not a gate")
            if gate is None:
                gate = self.known[line] = self._witness_gate(line)
            if gate.kind == "swap":
                swaps.append((gate.wires[0], gate.wires[1]))
            elif swaps:
                self.fail(f"{line!r} follows a swap; swaps stand at the end")
            else:
                gates.append(gate)
        return tuple(gates), tuple(swaps)

    def _witness_gate(self, line: str) -> WitnessGate:
        kind, angles, _, wires = self._gate(line)
        if kind in ("epr", "reset"):
            self.fail(f"{line!r} is not a gate")
        return WitnessGate(kind, wires, angles)

    def _angle(self, text: str) -> Angle:
        """As in a module file, but functions and powers may occur: no other program reads this."""
        try:
            return finite(float(text))
        except ValueError:
            pass
        try:
            names = names_in(text)
            if not names:
                return finite(evaluate(text, {}))
        except (ValueError, TypeError, ArithmeticError) as error:
            self.fail(f"the angle {text!r} cannot be read ({error})")
        unknown = sorted(names - set(self.out.inputs))
        if unknown:
            self.fail(f"the angle {text!r} refers to {unknown[0]!r}, which is no parameter")
        return text

    def _qubit(self, register: str, index: int) -> int:
        if register != "q" or index >= self.out.data:
            self.fail(f"qubit {register}[{index}] does not exist")
        return index


class _Everything(set[str]):
    """Gates need no definitions here."""

    def __contains__(self, item: object) -> bool:
        return True
