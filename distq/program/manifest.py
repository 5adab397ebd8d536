"""The manifest that joins the module files: its keys and their types (docs/design.md explains each)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from distq.errors import InputError, NetworkError
from distq.network.model import Network

FORMAT = "distq-program"
VERSION = 1
MANIFEST = "manifest.json"

_Index = Annotated[int, Meta(ge=0, le=2**31 - 2)]
_Bit = Annotated[int, Meta(ge=0, le=1)]
#: [module, "d" or "c", index]
_Place = tuple[_Index, str, _Index]
#: [[module, "m", index, value], ...]
_Conjunction = list[tuple[_Index, str, _Index, _Bit]]


class _Circuit(msgspec.Struct):
    name: str
    qubits: _Index
    clbits: _Index
    qubit_registers: list[tuple[str, list[_Index]]]
    clbit_registers: list[tuple[str, list[_Index]]]
    global_phase: float | str


class _Module(msgspec.Struct):
    name: str
    file: str
    sha256: str
    data: _Index
    comm: _Index
    measured: _Index
    received: _Index


class _Pairs(msgspec.Struct):
    link: list[_Index]
    a: list[_Index]
    b: list[_Index]


class _Messages(msgspec.Struct, rename={"source": "from"}):
    source: list[_Index]
    bit: list[_Index]
    to: list[_Index]
    into: list[_Index]


class _Schedule(msgspec.Struct):
    makespan: Annotated[float, Meta(ge=0)]
    start: list[list[Annotated[float, Meta(ge=0)]]]


class _Promise(msgspec.Struct):
    start: Literal["any", "zero"]
    outcomes_only: bool


class _Plan(msgspec.Struct):
    # Further columns say what steps are for; they are checked by `report.explain`, which alone reads them.
    tag: list[list[int]]


class _Block(msgspec.Struct, rename={"gates": "is"}):
    of: list[int | list[_Index]]
    gates: list[str]
    turn: _Index = 0


class Manifest(msgspec.Struct):
    """The content of `manifest.json`."""

    format: str
    version: int
    distq: str
    circuit: _Circuit
    network: dict[str, Any]
    modules: list[_Module]
    pairs: _Pairs
    messages: _Messages
    inputs: list[_Place]
    outputs: list[_Place]
    clbits: list[list[tuple[_Conjunction, tuple[_Index, str, _Index] | None]]]
    parameters: list[str | tuple[str, str]]
    promise: _Promise
    derived: list[tuple[str, str]] = []
    blocks: list[_Block] = []
    error_bound: Annotated[float, Meta(ge=0)] = 0.0
    births: list[_Index] = []
    unborn: list[_Index] = []
    schedule: _Schedule | None = None
    stats: dict[str, Any] = {}
    plan: _Plan | None = None


def encode_manifest(content: dict[str, Any]) -> bytes:
    """The bytes of `manifest.json`: one key a line, so that a person can look at it.

    Raises:
        TypeError: something is no JSON value (NumPy scalars and arrays are written as numbers and lists).
    """
    # Infinities and NaN, which JSON does not have, are written as null.
    lines = [
        f"{msgspec.json.encode(key).decode()}: {msgspec.json.encode(value, enc_hook=_plain).decode()}"
        for key, value in content.items()
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written to a manifest")


def decode_manifest(content: bytes, path: str) -> tuple[Manifest, dict[str, Any], Network]:
    """Read and check a manifest: the typed manifest, the plain document, and the network.

    Raises:
        InputError: it is no JSON, of another format or version, or a key is missing or has a wrong value.
    """
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON, or incomplete ({error}); compile the program again") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{path}: not the manifest of a distq program (its 'format' is not {FORMAT!r})")
    if document.get("version") != VERSION or isinstance(document.get("version"), bool):
        raise InputError(
            f"{path}: the program has format version {document.get('version')!r}, but this distq reads version "
            f"{VERSION}: compile the program again, or use the distq that wrote it ({document.get('distq')!r})"
        )
    try:
        manifest = msgspec.convert(document, Manifest)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InputError(f"{path}: a key is missing or has a wrong value: {error}; compile the program again") from None
    try:
        network = Network.from_dict(manifest.network)
    except NetworkError as error:
        raise InputError(f"{path}: the network is not valid: {error}") from None
    _check(manifest, network, path)
    return manifest, document, network


def _check(manifest: Manifest, network: Network, path: str) -> None:
    """The numbers of the manifest fit each other; whether the module files fit them is seen when those are read."""

    def fail(problem: str) -> NoReturn:
        raise InputError(f"{path}: {problem}; compile the program again")

    modules = manifest.modules
    if len(modules) != len(network.modules):
        fail(f"'modules' has {len(modules)} entries, but the network has {len(network.modules)} modules")
    for i, (module, member) in enumerate(zip(modules, network.modules)):
        if module.name != member.name:
            fail(f"module {i} is called {module.name!r} in 'modules', but {member.name!r} in the network")
        if module.file != f"module_{i}.qasm":
            fail(f"the file of module {i} must be called 'module_{i}.qasm', not {module.file!r}")
    _check_events(manifest, network, fail)
    circuit = manifest.circuit
    for key, places in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
        if len(places) != circuit.qubits:
            fail(f"{key!r} has {len(places)} entries, but the circuit has {circuit.qubits} qubits")
        for q, (m, register, index) in enumerate(places):
            if m >= len(modules) or register not in ("d", "c"):
                fail(f"entry {q} of {key!r} names no register of a module")
            if index >= (modules[m].data if register == "d" else modules[m].comm):
                fail(f"entry {q} of {key!r} is {register}[{index}] of module {m}, which does not exist")
    for what, registers, size in (
        ("qubit", circuit.qubit_registers, circuit.qubits),
        ("clbit", circuit.clbit_registers, circuit.clbits),
    ):
        if any(bit >= size for _, bits in registers for bit in bits):
            fail(f"a {what} register of the circuit names a {what} that does not exist")
    if max(manifest.births, default=-1) >= circuit.qubits:
        fail("'births' names a qubit that does not exist")
    if manifest.unborn and (manifest.promise.start != "zero" or max(manifest.unborn) >= circuit.qubits):
        fail("'unborn' names a qubit that does not exist, or 'promise' does not say that qubits start in |0>")
    for number, block in enumerate(manifest.blocks):
        if not block.of or any(source == [] if isinstance(source, list) else source < -number for source in block.of):
            fail(f"entry {number} of 'blocks' does not say which instructions or earlier blocks it replaces")
    if len(manifest.clbits) != circuit.clbits:
        fail(f"'clbits' has {len(manifest.clbits)} entries, but the circuit has {circuit.clbits} classical bits")
    for c, entries in enumerate(manifest.clbits):
        if not entries or entries[-1][0]:
            fail(f"entry {c} of 'clbits' does not end with a value that always holds")
        for conjunction, place in entries:
            for m, kind, index in [p[:3] for p in conjunction] + ([place] if place else []):
                if kind != "m" or m >= len(modules) or index >= modules[m].measured:
                    fail(f"entry {c} of 'clbits' names {kind}[{index}] of module {m}, which is not measured")
    for key, columns in (
        ("schedule.start", manifest.schedule.start if manifest.schedule else None),
        ("plan.tag", manifest.plan.tag if manifest.plan else None),
    ):
        if columns is not None and len(columns) != len(modules):
            fail(f"{key!r} has {len(columns)} columns, but there are {len(modules)} modules")


def _check_events(manifest: Manifest, network: Network, fail: Any) -> None:
    modules, pairs, messages = manifest.modules, manifest.pairs, manifest.messages
    if not len(pairs.link) == len(pairs.a) == len(pairs.b):
        fail("the columns of 'pairs' differ in length")
    ends = network.link_ends.tolist()
    for number, (link, a, b) in enumerate(zip(pairs.link, pairs.a, pairs.b)):
        if link >= len(ends):
            fail(f"Bell pair {number} is on link {link}, but the network has {len(ends)} links")
        if a >= modules[ends[link][0]].comm or b >= modules[ends[link][1]].comm:
            fail(f"Bell pair {number} lies on a communication qubit that its module does not declare")
    if not len(messages.source) == len(messages.bit) == len(messages.to) == len(messages.into):
        fail("the columns of 'messages' differ in length")
    filled: set[tuple[int, int]] = set()
    for number, (source, bit, to, into) in enumerate(zip(messages.source, messages.bit, messages.to, messages.into)):
        if source >= len(modules) or to >= len(modules) or source == to:
            fail(f"message {number} does not go from one module to another")
        if bit >= modules[source].measured or into >= modules[to].received:
            fail(f"message {number} names a bit that its module does not declare")
        if (to, into) in filled:
            fail(f"message {number} fills r[{into}] of module {to}, which another message fills")
        filled.add((to, into))
    if len(filled) != sum(m.received for m in modules):
        fail("a received bit of a module is filled by no message")
