"""Why every Bell pair of a program exists, and what it saved: read from a program and the rows saved with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from distq.errors import InputError
from distq.ops import Op

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram

SCHEMA = "distq-explain-1"


class _Packets(msgspec.Struct):
    packet: list[int]
    qubit: list[int]
    axis: list[str]
    home: list[int]
    gates: list[int]


class _Fetches(msgspec.Struct, rename={"source": "from", "target": "to"}):
    step: list[int]
    packet: list[int]
    source: list[int]
    target: list[int]
    gates: list[int]
    move: list[int]
    relay: list[bool]


class _Moves(msgspec.Struct, rename={"source": "from", "target": "to"}):
    step: list[int]
    packet: list[int]
    qubit: list[int]
    source: list[int]
    target: list[int]
    local: list[int]
    saved: list[int]


class _Exchanges(msgspec.Struct):
    step: list[int]
    packets: list[tuple[int, int]]
    qubits: list[tuple[int, int]]
    modules: list[tuple[int, int]]
    local: list[int]
    saved: list[int]


class _Others(msgspec.Struct):
    step: list[int]
    kind: list[str]


class _Rows(msgspec.Struct):
    packet: _Packets
    fetch: _Fetches
    move: _Moves
    exchange: _Exchanges
    other: _Others


@dataclass(frozen=True)
class LinkUse:
    """Bell pairs of one link [ebits]: for copies of packets, moves, exchanges, and other steps."""

    a: str
    b: str
    ebits: int
    copies: int
    moves: int
    exchanges: int
    other: int


@dataclass(frozen=True)
class PacketUse:
    """A packet that is copied to other modules, or whose copy was needed for a move alone.

    Attributes:
        packet: its number in the plan; packets are numbered qubit by qubit in time order.
        qubit: the wire: the qubit of the circuit that starts on it.
        axis: along which it acts, in the frame of the packet before it on its wire (of the input for the first one).
        home: module of its qubit at its beginning.
        copied_to: modules to which copies were sent, in order; twice where a copy was dropped and fetched again.
        relays: how many of these copies only passed another one on.
        gates: gates on two or more qubits in it.
        remote_gates: how many were carried out on a copy of it.
        ebits: pairs that its copies cost, without those for moves.
        move_ebits: pairs that moves of its qubit in it cost.
        saved: remote_gates - ebits: what its copies saved against one pair for each of these gates.
    """

    packet: int
    qubit: int
    axis: str
    home: str
    copied_to: tuple[str, ...]
    relays: int
    gates: int
    remote_gates: int
    ebits: int
    move_ebits: int
    saved: int


@dataclass(frozen=True)
class MoveUse:
    """A change of a qubit's home by state teleportation.

    Attributes:
        qubit: the wire.
        origin, target: modules.
        time: when its first Bell pair is made, in the unit of the schedule.
        packet: in which it moves.
        ebits: pairs it cost; those of the copy that became the home.
        gates: gates that this copy served before it became the home.
        local_packets: packets after it that lie in the new home alone, up to the next move of the qubit.
        saved: how many ebits more the packet in which it moves and those up to the next move would need, had it stayed:
            the modules that they touch then, less those that they touch now. On networks where all modules are linked.
    """

    qubit: int
    origin: str
    target: str
    time: float
    packet: int
    ebits: int
    gates: int
    local_packets: int
    saved: int


@dataclass(frozen=True)
class ExchangeUse:
    """An exchange of the homes of two qubits by three CX, three ebits; figures as of moves, both qubits together."""

    qubits: tuple[int, int]
    modules: tuple[str, str]
    time: float
    packets: tuple[int, int]
    ebits: int
    local_packets: int
    saved: int


@dataclass(frozen=True)
class OtherUse:
    """Pairs of other steps of the plan, by the kind of step [ebits]."""

    kind: str
    steps: int
    ebits: int


@dataclass(frozen=True)
class Explanation:
    """What the Bell pairs of a program are for; biggest spenders first.

    The ebits of the packets (`ebits`), the moves, the exchanges and the others add up to those of the program, and so
    do those of the links.
    """

    ebits: int
    links: tuple[LinkUse, ...]
    packets: tuple[PacketUse, ...]
    moves: tuple[MoveUse, ...]
    exchanges: tuple[ExchangeUse, ...]
    others: tuple[OtherUse, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Ebits by purpose, and what copies and moves saved."""
        return {
            "ebits": self.ebits,
            "copies": sum(p.ebits for p in self.packets),
            "moves": sum(m.ebits for m in self.moves),
            "exchanges": sum(x.ebits for x in self.exchanges),
            "other": sum(o.ebits for o in self.others),
            "remote_gates_served": sum(p.remote_gates for p in self.packets),
            "saved_by_copies": sum(p.saved for p in self.packets),
            "saved_by_moves": sum(m.saved for m in self.moves) + sum(x.saved for x in self.exchanges),
        }

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Plain data; at most `top` packets, moves and exchanges, the totals always of all."""
        return {
            "schema": SCHEMA,
            "totals": self.totals,
            "links": [asdict(x) for x in self.links],
            "packets": [asdict(x) for x in self.packets[:top]],
            "moves": [asdict(x) for x in self.moves[:top]],
            "exchanges": [asdict(x) for x in self.exchanges[:top]],
            "other": [asdict(x) for x in self.others],
        }


def explain(compiled: CompiledProgram, where: str = "the program") -> Explanation:
    """Why each Bell pair of a program exists.

    Args:
        compiled: a program that `distq.compile` made, also after saving and loading.
        where: name of the program in error messages.

    Raises:
        InputError: the program carries no such record, or one that does not fit its Bell pairs.
    """
    if not compiled.plan_rows:
        raise InputError(
            f"{where} does not say what its Bell pairs are for (it was written by hand or by an older distq); compile "
            "the circuit again"
        )
    try:
        rows = msgspec.convert(compiled.plan_rows, _Rows)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{where}: a column of 'plan' is missing or has a wrong value: {error}; compile the circuit again"
        ) from None
    try:
        return _Explainer(compiled, rows).run()
    except (LookupError, ValueError):  # columns that do not fit each other or the program
        raise InputError(
            f"{where}: the columns of 'plan' do not fit the Bell pairs of the program; compile the circuit again"
        ) from None


class _Explainer:
    def __init__(self, compiled: CompiledProgram, rows: _Rows) -> None:
        program = compiled.program
        self.rows = rows
        self.network = program.network
        self.names = [m.name for m in program.network.modules]
        pairs = np.flatnonzero(program.code == Op.EPR)
        self.tags: list[int] = program.tag[pairs].tolist()
        self.links: list[int] = program.link[pairs].tolist()
        self.ebits = len(pairs)
        start = compiled.schedule.start
        #: When each step of the plan begins.
        self.time: dict[int, float] = {}
        for tag, time in zip(program.tag.tolist(), start.tolist()):
            if time < self.time.get(tag, np.inf):
                self.time[tag] = time
        for table in (rows.packet, rows.fetch, rows.move, rows.exchange, rows.other):
            lengths = {len(getattr(table, name)) for name in table.__struct_fields__}
            if len(lengths) > 1:
                raise ValueError("columns differ in length")

    def name(self, module: int) -> str:
        if module < 0:
            raise ValueError("no module")
        return self.names[module]

    def run(self) -> Explanation:
        fetch, exchange = self.rows.fetch, self.rows.exchange
        fetch_of = {step: i for i, step in enumerate(fetch.step)}
        exchange_of = {step: i for i, step in enumerate(exchange.step)}
        # Pairs by purpose on each link: copies, moves, exchanges, other.
        use = np.zeros((len(self.network.links), 4), np.int64)
        paid = [0] * len(fetch.step)
        paid_exchange = [0] * len(exchange.step)
        kinds = dict(zip(self.rows.other.step, self.rows.other.kind))
        other: dict[str, list[int]] = {}
        for tag, link in zip(self.tags, self.links):
            if tag in fetch_of:
                i = fetch_of[tag]
                paid[i] += 1
                use[link, 1 if fetch.move[i] >= 0 else 0] += 1
            elif tag in exchange_of:
                paid_exchange[exchange_of[tag]] += 1
                use[link, 2] += 1
            else:
                other.setdefault(kinds.get(tag, "unknown"), []).append(tag)
                use[link, 3] += 1
        links = [LinkUse(x.a, x.b, int(u.sum()), *u.tolist()) for x, u in zip(self.network.links, use) if u.any()]
        return Explanation(
            ebits=self.ebits,
            links=tuple(sorted(links, key=lambda x: -x.ebits)),
            packets=self.packets(paid),
            moves=self.moves(paid),
            exchanges=self.exchanges(paid_exchange),
            others=tuple(OtherUse(kind, len(set(tags)), len(tags)) for kind, tags in sorted(other.items())),
        )

    def packets(self, paid: list[int]) -> tuple[PacketUse, ...]:
        table, fetch = self.rows.packet, self.rows.fetch
        of_packet: dict[int, list[int]] = {p: [] for p in table.packet}
        for i, packet in enumerate(fetch.packet):
            if packet >= 0:  # else a qubit without packets moves
                of_packet[packet].append(i)
        found = []
        for row, packet in enumerate(table.packet):
            copies = of_packet[packet]
            ebits = sum(paid[i] for i in copies if fetch.move[i] < 0)
            gates = sum(fetch.gates[i] for i in copies)
            found.append(
                PacketUse(
                    packet=packet,
                    qubit=table.qubit[row],
                    axis=table.axis[row],
                    home=self.name(table.home[row]),
                    copied_to=tuple(self.name(fetch.target[i]) for i in copies),
                    relays=sum(fetch.relay[i] for i in copies),
                    gates=table.gates[row],
                    remote_gates=gates,
                    ebits=ebits,
                    move_ebits=sum(paid[i] for i in copies) - ebits,
                    saved=gates - ebits,
                )
            )
        return tuple(sorted(found, key=lambda p: (-p.ebits - p.move_ebits, p.packet)))

    def moves(self, paid: list[int]) -> tuple[MoveUse, ...]:
        table, fetch = self.rows.move, self.rows.fetch
        of_move: list[list[int]] = [[] for _ in table.step]
        for i, move in enumerate(fetch.move):
            if move >= 0:
                of_move[move].append(i)
        found = [
            MoveUse(
                qubit=table.qubit[row],
                origin=self.name(table.source[row]),
                target=self.name(table.target[row]),
                time=min(self.time[step] for step in [table.step[row], *(fetch.step[i] for i in of_move[row])]),
                packet=table.packet[row],
                ebits=sum(paid[i] for i in of_move[row]),
                gates=sum(fetch.gates[i] for i in of_move[row]),
                local_packets=table.local[row],
                saved=table.saved[row],
            )
            for row in range(len(table.step))
        ]
        return tuple(sorted(found, key=lambda m: (-m.ebits, m.saved, m.time, m.qubit)))

    def exchanges(self, paid: list[int]) -> tuple[ExchangeUse, ...]:
        table = self.rows.exchange
        found = [
            ExchangeUse(
                qubits=table.qubits[row],
                modules=(self.name(table.modules[row][0]), self.name(table.modules[row][1])),
                time=self.time[table.step[row]],
                packets=table.packets[row],
                ebits=paid[row],
                local_packets=table.local[row],
                saved=table.saved[row],
            )
            for row in range(len(table.step))
        ]
        return tuple(sorted(found, key=lambda x: (-x.ebits, x.saved, x.time)))
