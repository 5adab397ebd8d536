"""Numba kernel: what an order of nodes pays when copies share few communication qubits.

A tape is an order of all nodes. It is read from the front: at each position a node fetches the copies that it lacks at
its site, and where a module has no communication qubit free, the copy whose next use on the tape is farthest away goes
(Belady's rule). A sender needs a free communication qubit for a moment, a relay two. A qubit whose home changes in a
packet moves just before the first node of its next packet; where it arrives in a module whose data qubits are all in
use, another one that is about to leave gives its own up and occupies a communication qubit until it goes.

The state before each position and the ebits paid there are kept, so that after a change the tape is read again only
from the first position that can differ to the one from which all is as it was. Import this module late: it loads Numba.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

from distq.partition.kernels import LACK, inner

#: What a copy waits for: nothing, or the move of its qubit into that module at the end of the packet.
NEVER, MOVE = -1, -2


class TapeLayout(NamedTuple):
    """Where everything lies in a flat int32 array; M nodes, L legs, K packets, k modules, at most C for communication.

    A state has for each module: copies held, qubits at home, those of them that leave in their present packet, and C
    pairs (packet, next leg that uses its copy), in increasing order of packets.
    """

    num_nodes: int
    num_legs: int
    num_packets: int
    stride: int  # 3 + 2 C
    width: int  # k * stride
    node_offsets: int  # (M+1,)
    leg_qubit: int  # (L,) like the next
    leg_packet: int
    leg_segment: int
    leg_node: int
    leg_group: int  # merged node that has the leg's site; -1: at the home of its qubit
    group_offsets: int  # (G+1,) into group_legs
    group_legs: int  # legs of each merged node
    classical: int  # (M,) 1 for nodes that write or read classical bits
    parity: int  # (M,) 1 for parity gates whose legs have sites of their own
    packet_qubit: int  # (K,)
    packet_offsets: int  # (n+1,)
    list_offsets: int  # (K+1,) into `legs`
    comm: int  # (k,) communication qubits
    data: int  # (k,) data qubits
    hop: int  # (k, k) first module on the way from one to another
    distance: int  # (k, k)
    # Variables:
    order: int  # (M,) node at each position
    position: int  # (M,)
    legs: int  # (L,) legs of each packet in the order of the tape
    place: int  # (L,) where each leg is in `legs`
    link: int  # (L,) the next leg of the same packet with the same site, or NEVER or MOVE
    paid: int  # (M+1,) ebits at each position; the last one: moves after the last node
    kept: int  # (M+1, width) state before each position
    fresh_paid: int  # the same while a change is tried
    fresh_kept: int
    state: int  # (width,)
    idle: int  # (k,) wires without packets that end in each module
    last: int  # (k,) scratch
    filled: int  # (K,) scratch


@inner
def leg_site(v: Any, at: Any, w: Any, o: Any, leg: Any) -> Any:
    """Where a leg enters its node."""
    g = w[o.leg_group + leg]
    if g >= 0:
        return v[at.site + g]
    return v[at.home + w[o.leg_packet + leg] + w[o.leg_qubit + leg]]


@inner
def relink(v: Any, at: Any, w: Any, o: Any, p: Any) -> None:
    """Find the next use of every copy of packet p again."""
    q = w[o.packet_qubit + p]
    for m in range(at.k):
        w[o.last + m] = NEVER
    if v[at.home + p + q] != v[at.home + p + q + 1]:
        w[o.last + v[at.home + p + q + 1]] = MOVE
    for i in range(w[o.list_offsets + p + 1] - 1, w[o.list_offsets + p] - 1, -1):
        leg = w[o.legs + i]
        m = leg_site(v, at, w, o, leg)
        w[o.link + leg] = w[o.last + m]
        w[o.last + m] = leg


@inner
def first_use(w: Any, o: Any, p: Any) -> Any:
    """Position of the first node of packet p."""
    return w[o.position + w[o.leg_node + w[o.legs + w[o.list_offsets + p]]]]


@inner
def last_use(w: Any, o: Any, p: Any) -> Any:
    """Position of the last node of packet p."""
    return w[o.position + w[o.leg_node + w[o.legs + w[o.list_offsets + p + 1] - 1]]]


@inner
def has_next(w: Any, o: Any, p: Any) -> Any:
    """Whether another packet of the same qubit follows packet p."""
    return p + 1 < w[o.packet_offsets + w[o.packet_qubit + p] + 1]


@inner
def used_at(w: Any, o: Any, p: Any, link: Any) -> Any:
    """The position at which a copy of packet p is used next."""
    if link >= 0:
        return w[o.position + w[o.leg_node + link]]
    return first_use(w, o, p + 1) if has_next(w, o, p) else o.num_nodes


@inner
def room(w: Any, o: Any, m: Any) -> Any:
    """Communication qubits that are free in module m."""
    base = m * o.stride
    return w[o.comm + m] - w[o.state + base] - max(0, w[o.state + base + 1] - w[o.data + m])


@inner
def find(w: Any, o: Any, m: Any, p: Any) -> Any:
    """Which of the copies in module m is that of packet p; -1: none."""
    base = m * o.stride
    for i in range(w[o.state + base]):
        if w[o.state + base + 3 + 2 * i] == p:
            return i
    return -1


@inner
def insert(w: Any, o: Any, m: Any, p: Any, link: Any) -> None:
    """A copy of packet p comes into module m."""
    base = m * o.stride
    i = w[o.state + base]
    if 3 + 2 * i >= o.stride:
        return
    while i > 0 and w[o.state + base + 1 + 2 * i] > p:
        w[o.state + base + 3 + 2 * i] = w[o.state + base + 1 + 2 * i]
        w[o.state + base + 4 + 2 * i] = w[o.state + base + 2 + 2 * i]
        i -= 1
    w[o.state + base + 3 + 2 * i] = p
    w[o.state + base + 4 + 2 * i] = link
    w[o.state + base] += 1


@inner
def remove(w: Any, o: Any, m: Any, i: Any) -> None:
    """Copy number i of module m goes."""
    base = m * o.stride
    last = w[o.state + base] - 1
    for j in range(i, last):
        w[o.state + base + 3 + 2 * j] = w[o.state + base + 5 + 2 * j]
        w[o.state + base + 4 + 2 * j] = w[o.state + base + 6 + 2 * j]
    w[o.state + base + 3 + 2 * last] = -1
    w[o.state + base + 4 + 2 * last] = -1
    w[o.state + base] = last


@inner
def make_room(v: Any, at: Any, w: Any, o: Any, m: Any, count: Any, x: Any, p: Any) -> Any:
    """Free `count` communication qubits of m, but not from copies of packet p or that x uses; returns a penalty."""
    base = m * o.stride
    while room(w, o, m) < count:
        victim = -1
        farthest = -1
        for i in range(w[o.state + base]):
            other = w[o.state + base + 3 + 2 * i]
            if other == p:
                continue
            mine = False
            if x >= 0:
                for leg in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
                    if w[o.leg_packet + leg] == other and leg_site(v, at, w, o, leg) == m:
                        mine = True
            if mine:
                continue
            use = used_at(w, o, other, w[o.state + base + 4 + 2 * i])
            if use > farthest:
                victim, farthest = i, use
        if victim < 0:
            return (count - room(w, o, m)) * LACK
        remove(w, o, m, victim)
    return 0


@inner
def fetch(v: Any, at: Any, w: Any, o: Any, p: Any, m: Any, x: Any, link: Any) -> Any:
    """Bring a copy of packet p to module m for node x; returns the ebits."""
    k = at.k
    here = v[at.home + p + w[o.packet_qubit + p]]
    best = (2 * w[o.distance + here * k + m] + (room(w, o, here) < 1)) * 2
    source = here
    if best > 4:  # farther than a hop, or the home has no communication qubit free
        for other in range(k):
            if other != here and other != m and w[o.comm + other] >= 2 and w[o.state + other * o.stride] > 0:
                key = (2 * w[o.distance + other * k + m] + (room(w, o, other) < 1)) * 2 + 1
                if key < best and find(w, o, other, p) >= 0:
                    best = key
                    source = other
    total = 0
    while source != m:
        following = w[o.hop + source * k + m]
        total += 1 + make_room(v, at, w, o, source, 1, x, p)
        total += make_room(v, at, w, o, following, 1 if following == m else 2, x, p)
        source = following
    insert(w, o, m, p, link)
    return total


@inner
def move(v: Any, at: Any, w: Any, o: Any, p: Any, x: Any) -> Any:
    """The home of packet p's qubit moves to where its next packet begins; returns the ebits."""
    q = w[o.packet_qubit + p]
    a = v[at.home + p + q]
    b = v[at.home + p + q + 1]
    total = 0
    i = find(w, o, b, p)
    if i < 0:
        total += fetch(v, at, w, o, p, b, x, MOVE)
    if w[o.state + b * o.stride + 1] >= w[o.data + b]:
        total += make_room(v, at, w, o, b, 1, x, p)  # another one gives its data qubit up first
    i = find(w, o, b, p)
    if i >= 0:
        remove(w, o, b, i)
    base = a * o.stride
    w[o.state + base + 1] -= 1
    w[o.state + base + 2] -= 1
    base = b * o.stride
    w[o.state + base + 1] += 1
    excess = w[o.state + base + 1] - w[o.data + b]
    if excess > 0:
        total += max(0, excess - w[o.state + base + 2]) * LACK
    return total


@inner
def start_excess(at: Any, w: Any, o: Any) -> Any:
    """Penalty for qubits beyond the data qubits before the first node."""
    total = 0
    for m in range(at.k):
        total += max(0, w[o.state + m * o.stride + 1] - w[o.data + m]) * LACK
    return total


@inner
def step(v: Any, at: Any, w: Any, o: Any, i: Any) -> Any:
    """Carry out the node at position i; returns the ebits."""
    total = start_excess(at, w, o) if i == 0 else 0
    x = w[o.order + i]
    first, end = w[o.node_offsets + x], w[o.node_offsets + x + 1]
    for leg in range(first, end):
        p = w[o.leg_packet + leg]
        if w[o.legs + w[o.list_offsets + p]] == leg and p > w[o.packet_offsets + w[o.leg_qubit + leg]]:
            j = p + w[o.leg_qubit + leg]
            if v[at.home + j - 1] != v[at.home + j]:
                total += move(v, at, w, o, p - 1, x)
    for leg in range(first, end):
        p = w[o.leg_packet + leg]
        j = p + w[o.leg_qubit + leg]
        if w[o.legs + w[o.list_offsets + p]] == leg and v[at.home + j] != v[at.home + j + 1]:
            w[o.state + v[at.home + j] * o.stride + 2] += 1
    if end - first < 2:
        return total
    for leg in range(first, end):
        p = w[o.leg_packet + leg]
        m = leg_site(v, at, w, o, leg)
        if m != v[at.home + p + w[o.leg_qubit + leg]] and find(w, o, m, p) < 0:
            total += fetch(v, at, w, o, p, m, x, w[o.link + leg])
    if w[o.parity + x]:
        total += collect(v, at, w, o, x)
    for leg in range(first, end):
        p = w[o.leg_packet + leg]
        m = leg_site(v, at, w, o, leg)
        if m == v[at.home + p + w[o.leg_qubit + leg]]:
            continue
        copy = find(w, o, m, p)
        if copy < 0:
            continue
        if w[o.link + leg] == NEVER:
            remove(w, o, m, copy)
        else:
            w[o.state + m * o.stride + 4 + 2 * copy] = w[o.link + leg]
    return total


@inner
def collect(v: Any, at: Any, w: Any, o: Any, x: Any) -> Any:
    """Ebits of collecting the parity of node x from the sites of its legs."""
    first = w[o.node_offsets + x]
    total = -1
    for leg in range(first, w[o.node_offsets + x + 1]):
        m = leg_site(v, at, w, o, leg)
        seen = False
        for other in range(first, leg):
            seen = seen or leg_site(v, at, w, o, other) == m
        if not seen:
            total += 1
    if total > 0:
        for leg in range(first, w[o.node_offsets + x + 1]):
            make_room(v, at, w, o, leg_site(v, at, w, o, leg), 1, x, -1)
    return total


@inner
def last_moves(v: Any, at: Any, w: Any, o: Any) -> Any:
    """Ebits of moves after the last node, and the penalty for qubits beyond the data qubits at the end."""
    total = 0
    for m in range(at.k):
        w[o.last + m] = w[o.idle + m] - w[o.data + m]
    for q in range(at.num_qubits):
        if w[o.packet_offsets + q + 1] > w[o.packet_offsets + q]:
            p = w[o.packet_offsets + q + 1] - 1
            a, b = v[at.home + p + q], v[at.home + p + q + 1]
            w[o.last + b] += 1
            if a != b and find(w, o, b, p) < 0:
                total += w[o.distance + a * at.k + b]
    for m in range(at.k):
        total += max(0, w[o.last + m]) * LACK
    return total


@inner
def start_state(s: Any, v: Any, at: Any, w: Any, o: Any) -> None:
    """The state before the first node: homes, and no copies."""
    start = o.kept
    for i in range(o.width):
        w[start + i] = 0 if i % o.stride < 3 else -1
    for q in range(at.num_qubits):
        w[start + v[at.home + s[at.line_first + q]] * o.stride + 1] += 1


@inner
def read_tape(v: Any, at: Any, w: Any, o: Any, begin: Any, until: Any, most: Any) -> Any:
    """Read the tape again from `begin`, at least beyond `until`; (change of the ebits, where all is as before).

    Reading ends early where the change so far is above `most`.
    """
    size = o.num_nodes
    delta = 0
    for j in range(o.width):
        w[o.state + j] = w[o.kept + begin * o.width + j]
    i = begin
    while i <= size:
        base = i * o.width
        if i > until:
            same = True
            for j in range(o.width):
                if w[o.state + j] != w[o.kept + base + j]:
                    same = False
                    break
            if same:
                break
        for j in range(o.width):
            w[o.fresh_kept + base + j] = w[o.state + j]
        paid = last_moves(v, at, w, o) if i == size else step(v, at, w, o, i)
        w[o.fresh_paid + i] = paid
        delta += paid - w[o.paid + i]
        i += 1
        if delta > most:
            break
    return delta, i


@inner
def accept(w: Any, o: Any, begin: Any, end: Any) -> None:
    """Keep what `read_tape` found between two positions."""
    for i in range(begin, end):
        w[o.paid + i] = w[o.fresh_paid + i]
    for j in range(begin * o.width, end * o.width):
        w[o.kept + j] = w[o.fresh_kept + j]


@njit(cache=True)
def whole_tape(s: Any, v: Any, at: Any, w: Any, o: Any) -> Any:
    """Read the whole tape; returns the ebits, with `kernels.LACK` for each communication qubit that is missing."""
    for i in range(o.num_nodes):
        w[o.position + w[o.order + i]] = i
    for p in range(o.num_packets):
        w[o.filled + p] = w[o.list_offsets + p]
    for i in range(o.num_nodes):
        for leg in range(w[o.node_offsets + w[o.order + i]], w[o.node_offsets + w[o.order + i] + 1]):
            p = w[o.leg_packet + leg]
            w[o.legs + w[o.filled + p]] = leg
            w[o.place + leg] = w[o.filled + p]
            w[o.filled + p] += 1
    for p in range(o.num_packets):
        relink(v, at, w, o, p)
    start_state(s, v, at, w, o)
    w[o.paid : o.paid + o.num_nodes + 1] = 0
    size = o.num_nodes
    delta, end = read_tape(v, at, w, o, 0, size, 1 << 40)
    accept(w, o, 0, end)
    return delta
