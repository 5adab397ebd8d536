"""Numba kernel: homes, copies and finished nodes of the search for routes (`route_kernel`), and what changes them.

Import this module late: it loads Numba.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from distq.partition.kernels import inner

#: Rows of the script that a search leaves behind: steps of the plan without turns and settling.
NODE, DROP, FETCH, SHIFT, EXCHANGE = 0, 1, 2, 3, 4
#: What makes copies of a qubit useless for an exchange: a flip while it had any, or LEFT + m: the exchange before left
#: one in module m, and no other module waits for the end of that exchange. Both last while there are copies.
FLIPPED, LEFT = 1, 2


class Routes(NamedTuple):
    """What stays the same; n qubits, M nodes with L legs, S segments, k modules, at most C copies in one.

    A state is an int32 array, at the offsets below: of each qubit its home, its present segment, nodes left there, and
    why its copies are of no use for an exchange; for each module C qubits that have a copy there (-1: none), and how
    many have their home there. The bytes of `done` belong to it.
    """

    num_qubits: int
    num_nodes: int
    num_modules: int
    slots: int  # C
    segment: int
    left: int
    dirty: int
    copies: int
    load: int
    size: int
    node_offsets: Any  # (M+1,)
    leg_qubit: Any  # (L,)
    leg_segment: Any
    leg_packet: Any
    segment_end: Any  # (n,) segment after the last one of each qubit
    segment_packet: Any  # (S,)
    nodes_offsets: Any  # (S+1,) into segment_nodes
    segment_nodes: Any
    flips: Any  # (S,) whether an X-type gate stands before the segment
    before_offsets: Any  # (M+1,) into `before`: nodes that come first because of classical bits
    before: Any
    after_offsets: Any
    after: Any
    comm: Any  # (k,)
    data: Any  # (k,)
    hop: Any  # (k, k)
    distance: Any  # (k, k) hops over relays that have the communication qubits; -1: none
    hops: Any  # (k, k) hops over any
    linked: Any  # (k, k)
    movable: Any  # (n,)


@inner
def begin(r: Any, st: Any, done: Any, homes: Any) -> None:
    """The state before the first step."""
    st[:] = 0
    done[:] = 0
    for i in range(r.num_modules * r.slots):
        st[r.copies + i] = -1
    first = 0
    for q in range(r.num_qubits):
        st[q] = homes[q]
        st[r.load + homes[q]] += 1
        st[r.segment + q] = first
        if first < r.segment_end[q]:
            st[r.left + q] = r.nodes_offsets[first + 1] - r.nodes_offsets[first]
        first = r.segment_end[q]


@inner
def slot_of(r: Any, st: Any, q: Any, m: Any) -> Any:
    """Where the copy of q in module m is noted; -1: there is none."""
    for i in range(r.copies + m * r.slots, r.copies + (m + 1) * r.slots):
        if st[i] == q:
            return i
    return -1


@inner
def has_copies(r: Any, st: Any, q: Any) -> Any:
    """Whether q has a copy anywhere."""
    for i in range(r.copies, r.copies + r.num_modules * r.slots):  # noqa: SIM110 - Numba has no generators
        if st[i] == q:
            return True
    return False


@inner
def site_of(r: Any, st: Any, x: Any) -> Any:
    """A module where all legs of node x are present; -1: there is none."""
    i = r.node_offsets[x]
    p = r.leg_qubit[i]
    if r.node_offsets[x + 1] == i + 1:
        return st[p]
    q = r.leg_qubit[i + 1]
    a, b = st[p], st[q]
    if a == b or slot_of(r, st, q, a) >= 0:
        return a
    if slot_of(r, st, p, b) >= 0:
        return b
    for m in range(r.num_modules):
        if r.comm[m] > 1 and slot_of(r, st, p, m) >= 0 and slot_of(r, st, q, m) >= 0:
            return m
    return -1


@inner
def is_ready(r: Any, st: Any, done: Any, x: Any) -> Any:
    """Whether node x waits for nothing but its qubits."""
    if done[x]:
        return False
    for i in range(r.node_offsets[x], r.node_offsets[x + 1]):
        if st[r.segment + r.leg_qubit[i]] != r.leg_segment[i]:
            return False
    for i in range(r.before_offsets[x], r.before_offsets[x + 1]):  # noqa: SIM110
        if not done[r.before[i]]:
            return False
    return True


@inner
def write(log: Any, kind: Any, a: Any, b: Any, c: Any) -> None:
    """Note a row of the script; its first row counts them, and a log of one row is none."""
    if len(log) > 1:
        i = log[0, 0] + 1
        if i < len(log):
            log[i, 0], log[i, 1], log[i, 2], log[i, 3] = kind, a, b, c
        log[0, 0] = i


@inner
def drop(r: Any, st: Any, slot: Any, log: Any) -> None:
    """The copy noted in a slot goes."""
    q = st[slot]
    st[slot] = -1
    write(log, DROP, q, (slot - r.copies) // r.slots, 0)
    if not has_copies(r, st, q):
        st[r.dirty + q] = 0


@inner
def drop_all(r: Any, st: Any, q: Any, but: Any, log: Any) -> None:
    """All copies of q go, except for that in module `but`."""
    for i in range(r.copies, r.copies + r.num_modules * r.slots):
        if st[i] == q and (i - r.copies) // r.slots != but:
            drop(r, st, i, log)


@inner
def uses(r: Any, st: Any, done: Any, q: Any, m: Any) -> Any:
    """Nodes left in the present packet of q whose other leg is at home in module m."""
    s = st[r.segment + q]
    total = 0
    if s == r.segment_end[q]:
        return 0
    packet = r.segment_packet[s]
    while s < r.segment_end[q] and r.segment_packet[s] == packet:
        for i in range(r.nodes_offsets[s], r.nodes_offsets[s + 1]):
            x = r.segment_nodes[i]
            if done[x]:
                continue
            for leg in range(r.node_offsets[x], r.node_offsets[x + 1]):
                other = r.leg_qubit[leg]
                if other != q and st[other] == m:
                    total += 1
        s += 1
    return total


@inner
def evict(r: Any, st: Any, done: Any, m: Any, count: Any, keep: Any, log: Any) -> Any:
    """Free `count` communication qubits of m, but not from a copy of `keep`; whether that was possible."""
    free = r.comm[m]
    for i in range(r.copies + m * r.slots, r.copies + (m + 1) * r.slots):
        if st[i] >= 0:
            free -= 1
    while free < count:
        victim, least = -1, 1 << 30
        for i in range(r.copies + m * r.slots, r.copies + (m + 1) * r.slots):
            if st[i] >= 0 and st[i] != keep:
                left = uses(r, st, done, st[i], m) if r.slots > 1 else 0
                if left < least:
                    victim, least = i, left
        if victim < 0:
            return False
        drop(r, st, victim, log)
        free += 1
    return True


@inner
def insert(r: Any, st: Any, q: Any, m: Any) -> None:
    """A copy of q is in m now."""
    for i in range(r.copies + m * r.slots, r.copies + (m + 1) * r.slots):
        if st[i] < 0:
            st[i] = q
            return


@inner
def fetch(r: Any, st: Any, done: Any, q: Any, m: Any, log: Any) -> Any:
    """Bring a copy of q from its home to m; returns the ebits, -1 (and anything may be lost) if that cannot be."""
    at, total = st[q], 0
    if r.distance[at, m] < 0 or r.comm[at] < 1 or r.comm[m] < 1:
        return -1
    while at != m:
        following = r.hop[at, m]
        if not evict(r, st, done, at, 1, q, log) or not evict(r, st, done, following, 1, q, log):
            return -1
        if slot_of(r, st, q, following) < 0:
            insert(r, st, q, following)
            write(log, FETCH, q, at, following)
            total += 1
        at = following
    return total


@inner
def execute(r: Any, st: Any, done: Any, x: Any, site: Any, stack: Any, depth: Any, log: Any) -> Any:
    """Carry out node x; puts nodes that may be ready now on the stack, whose depth is returned."""
    done[x] = 1
    write(log, NODE, x, site, 0)
    for leg in range(r.node_offsets[x], r.node_offsets[x + 1]):
        q = r.leg_qubit[leg]
        st[r.left + q] -= 1
        if st[r.left + q] > 0:
            continue
        s = st[r.segment + q] + 1
        st[r.segment + q] = s
        ends = s == r.segment_end[q]
        if ends or r.segment_packet[s] != r.segment_packet[s - 1]:
            # What follows on this line ends all copies without being told.
            for i in range(r.copies, r.copies + r.num_modules * r.slots):
                if st[i] == q:
                    st[i] = -1
            st[r.dirty + q] = 0
        elif r.flips[s] and has_copies(r, st, q):
            st[r.dirty + q] = FLIPPED
        if not ends:
            st[r.left + q] = r.nodes_offsets[s + 1] - r.nodes_offsets[s]
            depth = look_at(r, st, done, q, stack, depth)
    for i in range(r.after_offsets[x], r.after_offsets[x + 1]):
        if depth < len(stack):
            stack[depth] = r.after[i]
            depth += 1
    return depth


@inner
def look_at(r: Any, st: Any, done: Any, q: Any, stack: Any, depth: Any) -> Any:
    """Put the nodes of the present segment of q on the stack."""
    s = st[r.segment + q]
    if s < r.segment_end[q]:
        for i in range(r.nodes_offsets[s], r.nodes_offsets[s + 1]):
            if not done[r.segment_nodes[i]] and depth < len(stack):
                stack[depth] = r.segment_nodes[i]
                depth += 1
    return depth


@inner
def settle(r: Any, st: Any, done: Any, stack: Any, depth: Any, log: Any) -> Any:
    """Carry out all nodes that the stack leads to and whose qubits are present; how many with two legs."""
    count = 0
    while depth > 0:
        depth -= 1
        x = stack[depth]
        if is_ready(r, st, done, x):
            site = site_of(r, st, x)
            if site >= 0:
                count += r.node_offsets[x + 1] - r.node_offsets[x] > 1
                depth = execute(r, st, done, x, site, stack, depth, log)
    return count


@inner
def flips_ahead(r: Any, st: Any, q: Any) -> Any:
    """Whether the present packet of q goes on after an X-type gate.

    The module where q is after an exchange would not wait with it for the last CX, if the copy for that stays.
    """
    s = st[r.segment + q] + 1
    while s < r.segment_end[q] and r.segment_packet[s] == r.segment_packet[s - 1]:
        if r.flips[s]:
            return True
        s += 1
    return False


@inner
def exchange(r: Any, st: Any, done: Any, p: Any, q: Any, stack: Any, log: Any) -> Any:
    """Let two qubits in linked modules change places, p being the control of the first CX; (ebits, nodes done)."""
    a, b = st[p], st[q]
    cost, count = 0, 0
    if st[r.dirty + p] and (slot_of(r, st, p, b) < 0 or st[r.dirty + p] != LEFT + b):
        drop_all(r, st, p, -1, log)
    if slot_of(r, st, p, b) < 0:
        cost = fetch(r, st, done, p, b, log)
        if cost < 0:
            return -1, 0
        depth = look_at(r, st, done, p, stack, 0)
        count = settle(r, st, done, stack, depth, log)
    flags = 1 if slot_of(r, st, p, b) >= 0 and (st[r.dirty + p] == 0 or st[r.dirty + p] == LEFT + b) else 0
    drop_all(r, st, p, b if flags else -1, log)
    drop_all(r, st, q, -1, log)
    if not evict(r, st, done, a, 1, -1, log):
        return -1, 0
    if flags:
        st[slot_of(r, st, p, b)] = -1
    elif not evict(r, st, done, b, 1, -1, log):
        return -1, 0
    st[p], st[q] = b, a
    st[r.dirty + p] = 0
    if not flips_ahead(r, st, q) and uses(r, st, done, q, b) > 0:
        flags += 2
        insert(r, st, q, b)
        st[r.dirty + q] = LEFT + b
    write(log, EXCHANGE, p, q, flags)
    depth = look_at(r, st, done, p, stack, 0)
    depth = look_at(r, st, done, q, stack, depth)
    count += settle(r, st, done, stack, depth, log)
    return cost + 3 - (flags & 1), count


@inner
def move(r: Any, st: Any, done: Any, q: Any, m: Any, stack: Any, log: Any) -> Any:
    """State teleportation of q into a free data qubit of m; (ebits, nodes done)."""
    cost, count = 0, 0
    if slot_of(r, st, q, m) < 0:
        cost = fetch(r, st, done, q, m, log)
        if cost < 0:
            return -1, 0
    st[slot_of(r, st, q, m)] = -1
    st[r.load + st[q]] -= 1
    st[r.load + m] += 1
    st[q] = m
    write(log, SHIFT, q, m, 0)
    depth = look_at(r, st, done, q, stack, 0)
    count += settle(r, st, done, stack, depth, log)
    return cost, count


@inner
def act(r: Any, st: Any, done: Any, kind: Any, a: Any, b: Any, stack: Any, log: Any) -> Any:
    """Carry out one action; (ebits, -1 if it cannot be; nodes with two legs that were carried out)."""
    if kind == EXCHANGE:
        return exchange(r, st, done, a, b, stack, log)
    if kind == SHIFT:
        return move(r, st, done, a, b, stack, log)
    cost = fetch(r, st, done, a, b, log)
    if cost < 0:
        return -1, 0
    depth = look_at(r, st, done, a, stack, 0)
    return cost, settle(r, st, done, stack, depth, log)
