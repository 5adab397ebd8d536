"""Reads and checks `manifest.json`, independently of its writer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from distq.errors import InputError
from distq.verify.angles import names_in
from distq.verify.witnesses import Witness, read_witnesses

#: Largest number of qubits or bits of a module that is believed.
_LARGEST = 2**26


@dataclass(frozen=True)
class ModuleEntry:
    """One module: declared sizes, and what the network gives it (`comm_limit` None: unlimited)."""

    name: str
    file: str
    sha256: str
    data: int
    comm: int
    measured: int
    received: int
    data_limit: int
    comm_limit: int | None


@dataclass(frozen=True)
class PairEntry:
    """A Bell pair: its link and the communication qubits in the link's first and second module."""

    link: int
    a: int
    b: int


@dataclass(frozen=True)
class MessageEntry:
    """Measured bit `bit` of module `source` goes to module `target` as received bit `into`."""

    source: int
    bit: int
    target: int
    into: int


@dataclass(frozen=True)
class Manifest:
    """The checked content of a manifest.

    Attributes:
        num_qubits, num_clbits: of the source circuit.
        modules: in order.
        links: module indices of both ends of each link of the network.
        pairs, messages: by number.
        inputs, outputs: (module, "d" or "c", index) of each source qubit.
        clbits: decision lists as in the file.
        parameters: (name in the source, name in the files).
        derived: (name in the files, formula over the parameters' names in the files) of each derived input.
        start_zero: whether the program relies on qubits that start in |0>.
        outcomes_only: whether it claims to preserve the distribution of the classical bits only.
        schedule_lengths: number of start times of each module; None if there is no schedule.
        raw: the whole document.
        blocks: witnesses, by number; nothing is proved about them yet.
        births: qubit of the source of each birth, by number; those of one qubit in the order of its lives.
        unborn: qubits of the source that are nowhere at the start, because they begin in |0> later or never.
    """

    num_qubits: int
    num_clbits: int
    modules: tuple[ModuleEntry, ...]
    links: tuple[tuple[int, int], ...]
    pairs: tuple[PairEntry, ...]
    messages: tuple[MessageEntry, ...]
    inputs: tuple[tuple[int, str, int], ...]
    outputs: tuple[tuple[int, str, int], ...]
    clbits: list[list[Any]]
    parameters: tuple[tuple[str, str], ...]
    derived: tuple[tuple[str, str], ...]
    start_zero: bool
    outcomes_only: bool
    schedule_lengths: list[int] | None
    raw: dict[str, Any]
    blocks: tuple[Witness, ...] = ()
    births: tuple[int, ...] = ()
    unborn: frozenset[int] = frozenset()


class _Checker:
    """Takes values out of a JSON document and complains in one sentence."""

    def __init__(self, path: Path, document: Any) -> None:
        self.path = path
        self.document = self.of(document, dict, "the document")

    def fail(self, problem: str) -> NoReturn:
        raise InputError(f"{self.path}: {problem}.")

    def of(self, value: Any, kind: type, what: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(f"{what} is not of type {kind.__name__}")
        return value

    def key(self, holder: Any, key: str, kind: type, what: str = "") -> Any:
        self.of(holder, dict, what or "the document")
        if key not in holder:
            self.fail(f"key {key!r} is missing{' in ' + what if what else ''}")
        return self.of(holder[key], kind, repr(key))

    def index(self, value: Any, limit: int, what: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
            self.fail(f"{what} is {value!r}, but must be a number from 0 to {limit - 1}")
        return value

    def columns(self, key: str, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        table = self.key(self.document, key, dict)
        columns = [self.key(table, name, list, repr(key)) for name in names]
        if len({len(c) for c in columns}) > 1:
            self.fail(f"the columns of {key!r} have different lengths")
        return list(zip(*columns))


def read_manifest(directory: Path) -> Manifest:
    """Read `manifest.json` of a program directory.

    Raises:
        InputError: it is missing, is not JSON, is of another format or version, or contradicts itself.
    """
    path = directory / "manifest.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); is this a program directory?") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not valid JSON ({error}); compile the program again.") from error
    check = _Checker(path, document)
    form, version = check.key(document, "format", str), check.key(document, "version", int)
    if (form, version) != ("distq-program", 1):
        check.fail(f"the format is {form!r} version {version}, but this distq reads 'distq-program' version 1")
    circuit = check.key(document, "circuit", dict)
    num_qubits = check.key(circuit, "qubits", int, "'circuit'")
    num_clbits = check.key(circuit, "clbits", int, "'circuit'")
    links, limits = _network(check)
    modules = _modules(check, limits)
    pairs = _pairs(check, links, modules)
    promise = check.key(document, "promise", dict)
    start = check.key(promise, "start", str, "'promise'")
    if start not in ("any", "zero"):
        check.fail(f"'start' in 'promise' is {start!r}, but must be 'any' or 'zero'")
    parameters = _parameters(check)
    unborn = _unborn(check, num_qubits, start == "zero")
    inputs = _places(check, "inputs", num_qubits, modules)
    if len({place for q, place in enumerate(inputs) if q not in unborn}) + len(unborn) != num_qubits:
        check.fail("two entries of 'inputs' are the same physical qubit")
    return Manifest(
        num_qubits=num_qubits,
        num_clbits=num_clbits,
        modules=modules,
        links=links,
        pairs=pairs,
        messages=_messages(check, modules),
        inputs=inputs,
        outputs=_places(check, "outputs", num_qubits, modules),
        clbits=_clbits(check, num_clbits, modules),
        parameters=parameters,
        derived=_derived(check, {inner for _, inner in parameters}),
        start_zero=start == "zero",
        outcomes_only=check.key(promise, "outcomes_only", bool, "'promise'"),
        schedule_lengths=_schedule(check),
        raw=document,
        blocks=_blocks(check, num_qubits, parameters),
        births=_births(check, num_qubits),
        unborn=unborn,
    )


def _births(check: _Checker, num_qubits: int) -> tuple[int, ...]:
    if "births" not in check.document:
        return ()
    entries = check.key(check.document, "births", list)
    return tuple(check.index(q, num_qubits, "an entry of 'births'") for q in entries)


def _unborn(check: _Checker, num_qubits: int, start_zero: bool) -> frozenset[int]:
    if "unborn" not in check.document:
        return frozenset()
    entries = check.key(check.document, "unborn", list)
    if entries and not start_zero:
        check.fail("'unborn' names qubits that begin in |0>, but 'promise' does not say that they do")
    return frozenset(check.index(q, num_qubits, "an entry of 'unborn'") for q in entries)


def _network(check: _Checker) -> tuple[tuple[tuple[int, int], ...], dict[str, tuple[int, int | None]]]:
    network = check.key(check.document, "network", dict)
    limits: dict[str, tuple[int, int | None]] = {}
    for entry in check.key(network, "modules", list, "'network'"):
        name = check.key(entry, "name", str, "a module of 'network'")
        if name in limits:
            check.fail(f"the network has two modules called {name!r}")
        comm = entry.get("comm", 2)
        if comm in (None, "unlimited"):
            comm = None
        else:
            check.of(comm, int, "'comm'")
        limits[name] = (check.key(entry, "data", int, f"module {name!r}"), comm)
    index = {name: i for i, name in enumerate(limits)}
    links = []
    for entry in check.key(network, "links", list, "'network'"):
        names = (entry.get("a"), entry.get("b")) if isinstance(entry, dict) else tuple(entry)[:2]
        if len(names) != 2 or any(n not in index for n in names) or names[0] == names[1]:
            check.fail(f"a link of the network joins {names!r}, which are not two of its modules")
        links.append((index[names[0]], index[names[1]]))
    return tuple(links), limits


def _modules(check: _Checker, limits: dict[str, tuple[int, int | None]]) -> tuple[ModuleEntry, ...]:
    entries = check.key(check.document, "modules", list)
    found = []
    for i, entry in enumerate(entries):
        what = f"entry {i} of 'modules'"
        name, file = check.key(entry, "name", str, what), check.key(entry, "file", str, what)
        if file != f"module_{i}.qasm":
            check.fail(f"the file of module {i} is {file!r}, but must be 'module_{i}.qasm'")
        sizes = [check.key(entry, key, int, what) for key in ("data", "comm", "measured", "received")]
        if min(sizes) < 0 or max(sizes) > _LARGEST:
            check.fail(f"{what} has a size outside 0 to {_LARGEST}")
        if i >= len(limits) or name != list(limits)[i]:
            check.fail(f"module {i} is called {name!r}, which is not the name of module {i} of the network")
        data, comm, measured, received = sizes
        sha256 = check.key(entry, "sha256", str, what)
        found.append(ModuleEntry(name, file, sha256, data, comm, measured, received, *limits[name]))
    if len(found) != len(limits):
        check.fail(f"there are {len(found)} modules, but the network has {len(limits)}")
    return tuple(found)


def _pairs(
    check: _Checker, links: tuple[tuple[int, int], ...], modules: tuple[ModuleEntry, ...]
) -> tuple[PairEntry, ...]:
    found = []
    for number, (link, a, b) in enumerate(check.columns("pairs", ("link", "a", "b"))):
        what = f"of Bell pair {number}"
        check.index(link, len(links), f"the link {what}")
        first, second = links[link]
        check.index(a, modules[first].comm, f"the first qubit {what}")
        check.index(b, modules[second].comm, f"the second qubit {what}")
        found.append(PairEntry(link, a, b))
    return tuple(found)


def _messages(check: _Checker, modules: tuple[ModuleEntry, ...]) -> tuple[MessageEntry, ...]:
    found, filled = [], set()
    for number, (source, bit, target, into) in enumerate(check.columns("messages", ("from", "bit", "to", "into"))):
        what = f"of message {number}"
        check.index(source, len(modules), f"the sender {what}")
        check.index(target, len(modules), f"the receiver {what}")
        check.index(bit, modules[source].measured, f"the bit {what}")
        check.index(into, modules[target].received, f"the received bit {what}")
        if source == target or (target, into) in filled:
            check.fail(f"message {number} goes to its own sender, or fills a received bit that another one fills")
        filled.add((target, into))
        found.append(MessageEntry(source, bit, target, into))
    return tuple(found)


def _places(
    check: _Checker, key: str, count: int, modules: tuple[ModuleEntry, ...]
) -> tuple[tuple[int, str, int], ...]:
    entries = check.key(check.document, key, list)
    if len(entries) != count:
        check.fail(f"{key!r} has {len(entries)} entries for {count} qubits")
    found = []
    for q, entry in enumerate(entries):
        if not isinstance(entry, list) or len(entry) != 3 or entry[1] not in ("d", "c"):
            check.fail(f"entry {q} of {key!r} is not [module, 'd' or 'c', index]")
        module = check.index(entry[0], len(modules), f"the module of entry {q} of {key!r}")
        size = modules[module].data if entry[1] == "d" else modules[module].comm
        found.append((module, entry[1], check.index(entry[2], size, f"the index of entry {q} of {key!r}")))
    return tuple(found)


def _clbits(check: _Checker, count: int, modules: tuple[ModuleEntry, ...]) -> list[list[Any]]:
    lists = check.key(check.document, "clbits", list)
    if len(lists) != count:
        check.fail(f"'clbits' has {len(lists)} entries for {count} classical bits")

    def place(value: Any, size: int, what: str) -> None:
        if not isinstance(value, list) or len(value) != size or value[1] != "m":
            check.fail(f"{what} refers to {value!r}, which is not a measured bit")
        module = check.index(value[0], len(modules), f"the module in {what}")
        check.index(value[2], modules[module].measured, f"the bit in {what}")
        if size == 4:
            check.index(value[3], 2, f"the value in {what}")

    for c, entries in enumerate(lists):
        what = f"entry {c} of 'clbits'"
        for entry in check.of(entries, list, what):
            if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], list):
                check.fail(f"{what} is not a list of [conjunction, place]")
            for literal in entry[0]:
                place(literal, 4, what)
            if entry[1] is not None:
                place(entry[1], 3, what)
        if not entries or entries[-1][0]:
            check.fail(f"{what} does not end with an entry that always holds")
    return lists


def _parameters(check: _Checker) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in check.key(check.document, "parameters", list):
        names = (entry, entry) if isinstance(entry, str) else tuple(entry) if isinstance(entry, list) else ()
        if len(names) != 2 or not all(isinstance(n, str) for n in names):
            check.fail(f"the parameter {entry!r} is neither a name nor [name in the source, name in the files]")
        found.append(names)
    return tuple(found)


def _derived(check: _Checker, parameters: set[str]) -> tuple[tuple[str, str], ...]:
    """Derived inputs; each formula is readable and depends on parameters, and on nothing else."""
    if "derived" not in check.document:
        return ()
    found = []
    for number, entry in enumerate(check.key(check.document, "derived", list)):
        if not isinstance(entry, list) or len(entry) != 2 or not all(isinstance(n, str) for n in entry):
            check.fail(f"entry {number} of 'derived' is not [name in the files, formula]")
        name, formula = entry
        if name != f"_e{number}" or name in parameters:
            check.fail(f"entry {number} of 'derived' is {name!r}, but must be '_e{number}', which no parameter may be")
        try:
            used = names_in(formula)
        except ValueError as error:
            check.fail(f"the formula of the derived input {name!r} cannot be read ({error})")
        if not used or not used <= parameters:
            unknown = sorted(used - parameters)
            problem = f"refers to {unknown[0]!r}, which is no parameter" if unknown else "depends on no parameter"
            check.fail(f"the formula of the derived input {name!r} {problem}")
        found.append((name, formula))
    return tuple(found)


def _schedule(check: _Checker) -> list[int] | None:
    if "schedule" not in check.document or check.document["schedule"] is None:
        return None
    start = check.key(check.key(check.document, "schedule", dict), "start", list, "'schedule'")
    return [len(check.of(column, list, "a list of start times")) for column in start]


def _blocks(check: _Checker, num_qubits: int, parameters: tuple[tuple[str, str], ...]) -> tuple[Witness, ...]:
    entries = check.document.get("blocks")
    if entries is None:
        return ()
    return read_witnesses(
        check.of(entries, list, "'blocks'"), num_qubits, [inner for _, inner in parameters], check.fail
    )
