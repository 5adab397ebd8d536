"""The spanning bound: a connected part of the circuit that does not fit a module is cut, again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.partition.bound_nets import BoundNets

#: What all passes over the circuit may cost together, in gates (about 5 us each).
BUDGET = 250_000


class Room:
    """How many modules a number of qubits needs, and what that costs a connected family of packets.

    Attributes:
        least: (n+1,) fewest modules whose data qubits reach this number.
        start: (n+1,) ebits of a family that is connected and holds this many qubits at the start or the end.
        middle: (n+1,) the same at a moment in between, when homes on the move may sit on communication qubits.
    """

    def __init__(self, capacities: NDArray[np.int64], n: int) -> None:
        reach = np.cumsum(np.sort(capacities)[::-1])
        self.least = np.searchsorted(reach, np.arange(n + 1)) + 1
        self.least[0] = 0
        self.start: list[int] = np.maximum(self.least - 1, 0).tolist()
        self.middle: list[int] = []
        moving = 0
        for held in range(n + 1):
            # max(x, start[held - x]) is least where the rising side meets the falling one; that x never decreases.
            while moving < held and self.start[held - moving] > moving:
                moving += 1
            options = [max(x, self.start[held - x]) for x in (moving - 1, moving) if 0 <= x <= held]
            self.middle.append(min(options))


def spanning_bound(nets: BoundNets, capacities: NDArray[np.int64]) -> int:
    """Ebits that every plan within the capacities needs, by counting disjoint connected families of packets.

    A qubit that is measured or reset is a new one afterwards (a life, see `BoundNets`).

    *A family.* For each qubit q of a set C an interval of its packets; together (with the parity nets that are used)
    they are connected through common gates and junctions. *Claim.* If at some moment s qubits of C are inside their
    intervals, the family costs at least min over x of max(x, m(s - x) - 1) ebits, m(y) being the fewest modules with
    room for y qubits. *Proof.* A home that is on no data qubit moves within its packet, which therefore touches two
    modules; let x be the number of these. The other s - x homes are in at least m(s - x) modules, each of them touched
    by a packet of the family. A connected family touches at most 1 + sum (modules of the element - 1) modules, because
    each element shares a module with those before it in a suitable order; hence the sum is at least m(s - x) - 1, and
    at least x as x of its terms are positive. At the start and at the end of the circuit every home is on a data qubit:
    x = 0. Families without common elements are paid for separately, so their bounds add up. A gate whose packets
    belong to different families connects neither.

    *The moment.* Intervals of time that meet in pairs have a common moment. That of q begins before that of r ends
    in every plan if a chain of gates leads from one to the other: a gate happens after the junctions before its
    packets and before those behind them. Sets of qubits whose interval has begun are carried along these chains. Parity
    gates, whose legs need no common moment, connect but are no part of a chain. For families that reach back to the
    first packets the start is such a moment, for those that reach to the last ones the end.

    *Windows.* Going through the gates in order, families grow by the packets that gates join; one that is worth `goal`
    ebits is closed, and its qubits begin the next one with their next packets. The best of several goals is returned;
    very large circuits are one window.

    Args:
        nets: of a normalised circuit.
        capacities: (k,) data qubits of each module.
    """
    n = nets.graph.num_qubits
    room = Room(capacities, n)
    most = room.start[n]
    if most <= 0 or not len(nets.gate_row):
        return 0
    found = _one_window(nets, room)
    # Closing a family takes a step for every life; a family has more packets than a module has data qubits.
    closed = nets.graph.num_packets // (int(capacities.max()) + 1)
    passes = BUDGET // (len(nets.gate_row) + closed * nets.num_lives // 20)
    goals = [goal for goal in dict.fromkeys((1, most, 2, (most + 1) // 2, 3)) if goal <= most][:passes]
    gates = _in_order(nets) if goals else []
    return max([found, *(_Windows(nets, room, gates, goal).run() for goal in goals)])


def _one_window(nets: BoundNets, room: Room) -> int:
    """Families that reach from the start to the end of the circuit."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = nets.num_lives
    qubit = nets.life_of_packet[nets.legs]
    first = np.repeat(qubit[nets.gate_offsets[:-1]], np.diff(nets.gate_offsets))
    joined = coo_matrix((np.ones(len(qubit), np.int8), (first, qubit)), shape=(n, n))
    label = connected_components(joined, directed=False)[1]
    counts = [np.bincount(label[fixed], minlength=n) for fixed in (nets.fixed_start, nets.fixed_end)]
    return sum(room.start[max(a, b)] for a, b in zip(counts[0].tolist(), counts[1].tolist()))


#: (whether the legs have a common moment, [(life, packet), ...])
_Gate = tuple[bool, list[tuple[int, int]]]


def _in_order(nets: BoundNets) -> list[_Gate]:
    qubit, offsets = nets.life_of_packet[nets.legs].tolist(), nets.gate_offsets.tolist()
    legs = list(zip(qubit, nets.legs.tolist()))
    order = np.argsort(nets.gate_row, kind="stable").tolist()
    return [(g < nets.num_gates, legs[offsets[g] : offsets[g + 1]]) for g in order]


class _Windows:
    """One pass with one goal. Qubits are lives; sets of them are integers, one bit each."""

    def __init__(self, nets: BoundNets, room: Room, gates: list[_Gate], goal: int) -> None:
        n = nets.num_lives
        self.room, self.gates, self.goal = room, gates, goal
        # The first size of a family that can be worth the goal.
        self.enough = next((s for s, ebits in enumerate(room.start) if ebits >= goal), n + 1)
        self.first: list[int] = nets.life_offsets[:-1].tolist()
        self.base = self.first.copy()
        self.at = [p - 1 for p in self.first]
        self.start_counts: list[bool] = nets.fixed_start.tolist()
        self.end_counts: list[bool] = nets.fixed_end.tolist()
        self.empty_before: list[int] = np.concatenate([[0], np.cumsum(~nets.occupied)]).tolist()
        self.begun = [0] * n
        self.reached = [0] * n
        self.family = list(range(n))
        self.members: list[list[int]] = [[q] for q in range(n)]
        self.wait = [0] * n
        self.total = 0

    def run(self) -> int:
        """The sum over the families found."""
        for timed, legs in self.gates:
            for q, p in legs:
                if p > self.at[q]:
                    self.at[q] = p
                    self.begun[q] = self.reached[q] = self.reached[q] | 1 << q
            if timed:
                known = 0
                for q, _ in legs:
                    known |= self.begun[q]
                for q, _ in legs:
                    self.reached[q] |= known
            inside = [q for q, p in legs if p >= self.base[q]]
            if len(inside) > 1:
                self.join(inside)
        for c, members in enumerate(self.members):
            if self.family[members[0]] == c and len(members) > 1:
                at_end = sum(self.end_counts[q] for q in members)
                self.total += max(self.worth(members), self.room.start[at_end])
        return self.total

    def join(self, qubits: list[int]) -> None:
        """These qubits are in one family; it is closed if it is worth the goal."""
        roots = {self.family[q] for q in qubits}
        root = max(roots, key=lambda c: (len(self.members[c]), -c))
        members = self.members[root]
        for other in sorted(roots - {root}):
            for q in self.members[other]:
                self.family[q] = root
            members += self.members[other]
            self.members[other] = members  # no longer a family of its own
        self.wait[root] -= 1
        if len(members) < self.enough or (self.wait[root] > 0 and len(roots) == 1):
            return
        # Looking takes a step for each member, so it is not done at every gate.
        self.wait[root] = len(members) // 4
        worth = self.worth(members)
        if worth >= self.goal:
            self.total += worth
            self.close(members)

    def worth(self, members: list[int]) -> int:
        """Ebits that the family of these qubits costs."""
        at_start = sum(self.base[q] == self.first[q] and self.start_counts[q] for q in members)
        empty = self.empty_before
        held = [q for q in members if empty[self.at[q] + 1] == empty[self.base[q]]]
        common = -1
        for q in held:
            common &= self.reached[q]
        together = sum(common >> q & 1 for q in held)
        return max(self.room.start[at_start], self.room.middle[min(together, len(self.room.middle) - 1)])

    def close(self, members: list[int]) -> None:
        """The packets of a family are used up; its qubits go on with their next ones."""
        gone = 0
        for q in members:
            gone |= 1 << q
            self.base[q] = self.at[q] + 1
        kept = ~gone
        self.begun = [x & kept for x in self.begun]
        self.reached = [x & kept for x in self.reached]
        for q in members:
            self.family[q] = q
            self.members[q] = [q]
            self.wait[q] = 0
