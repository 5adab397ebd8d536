"""Moves of homes: state teleportation, exchanges, and bringing every qubit to where it must end."""

from __future__ import annotations

from collections.abc import Sequence

from distq.errors import InfeasibleError
from distq.partition.order_ghosts import Ghosts
from distq.partition.plan import Step


class Movers(Ghosts):
    """The part of the list scheduler that changes homes."""

    #: Whether two qubits may change places by three copied CX.
    copied_exchange = True

    def step_towards(self, q: int, goal: int, keep: Sequence[int] = ()) -> None:
        """Move the home of q one hop towards a module: into a free data qubit, or by an exchange."""
        there = self.any_hop[self.home[q]][goal]
        if self.has_room(there):
            self.move(q, there)
            return
        partners = [v for v in self.residents[there] if v not in keep]
        if not partners:
            raise InfeasibleError(
                f"module {self.network.modules[there].name} holds only qubits of the gate that has to pass it; "
                "give it one more data qubit or a second communication qubit"
            )
        wants_back = [v for v in partners if self.target[v] == self.home[q] and self.target[v] != there]
        self.exchange(q, max(wants_back or partners, key=lambda v: (self.idle_until(v), -v)))

    def idle_until(self, q: int) -> int:
        """The rank of the next node that q waits for."""
        s = self.segment[q]
        if s == self.segment_offsets[q + 1]:
            return len(self.done)
        return min(self.rank[node] for node in self.segment_nodes[s] if not self.done[node])

    def rearrange(self, goals: dict[int, int]) -> None:
        """Bring each of some qubits to a module: into free data qubits first, then by exchanges among themselves.

        Where communication qubits suffice, qubits on the move wait on them for their data qubits instead.
        """
        while goals := {q: m for q, m in goals.items() if self.home[q] != m}:
            free = [q for q, m in goals.items() if self.has_room(m) and self.can_reach(q, m)]
            if free:
                self.move(free[0], goals[free[0]])
                continue
            q, there = next(iter(goals.items()))
            leaving = [v for v in self.residents[there] if (v in goals and not self.parked[v]) or self.leaves(v)]
            if leaving and self.can_park(there) and self.can_reach(q, there):
                self.park(min(leaving))
                continue
            if any(self.parked):
                self.unpark()
                continue
            partners = [v for v in goals if self.home[v] == there]
            partners += [v for v in self.residents[there] if self.goal[v] == self.home[q] and self.leaves(v)]
            if partners and self.can_exchange(q, partners[0]):
                self.exchange(q, min(partners, key=lambda v: (goals.get(v, self.goal[v]) != self.home[q], v)))
            else:
                self.step_towards(q, there)

    def can_reach(self, q: int, module: int) -> bool:
        """Whether a copy of q can be sent to a module from its home."""
        return self.distance[self.home[q]][module] >= 0 and min(self.comm[self.home[q]], self.comm[module]) >= 1

    def can_exchange(self, p: int, q: int) -> bool:
        """Whether two qubits can exchange homes in one go."""
        here, there = self.home[p], self.home[q]
        return self.link_of[here][there] >= 0 or (
            self.distance[here][there] >= 0 and max(self.comm[here], self.comm[there]) >= 2
        )

    def move(self, q: int, there: int) -> None:
        """State teleportation into a free data qubit of another module; copies elsewhere stay."""
        here, parked = self.home[q], self.parked[q]
        if self.dead[q]:
            self.jump(q, there)
            return
        ghost = self.vacate(there)
        if there not in self.copies[q] and not self.fetch(q, there, [q]):
            self.no_room(self.home[q], there)
        self.shift(q, there)
        self.settle(q)
        if ghost >= 0:
            self.put_ghost(ghost, here if not parked else there)

    def begin(self, q: int, junction: int) -> None:
        """A wire is about to hold something again: at the home that is planned if there is room, else where it is.

        A wire there that is about to move may give up its data qubit for it.
        """
        module = self.junction_home[junction]
        if self.home[q] != module and not self.has_room(module):
            leaving = [v for v in self.residents[module] if self.leaves(v)]
            if leaving and self.can_park(module):
                self.park(min(leaving))
        if self.home[q] != module and self.has_room(module):
            self.jump(q, module)
        self.dead[q] = 0
        end = self.segment_packet[self.segment_offsets[q + 1] - 1] + q + 1
        while self.home[q] != module and junction <= end and self.junction_home[junction] == module:
            # No move is planned that would bring it there.
            self.junction_home[junction] = self.home[q]
            junction += 1

    def leaves(self, q: int) -> bool:
        """Whether q is in a packet in which it moves, so that it may give up its data qubit."""
        if self.parked[q] or self.goal[q] < 0:
            return False
        nodes = self.segment_nodes[self.segment[q]] if not self.waiting[q] else []
        return not (nodes and self.local[nodes[0]])

    def can_park(self, module: int) -> bool:
        """Whether a module can hold one more home on a communication qubit, and what arrives or passes as well."""
        parked = sum(self.parked[q] and self.home[q] == module for q in range(self.n))
        return self.comm[module] >= parked + (2 if self.complete else 3) and self.make_room(module, (), 2)

    def unpark(self) -> None:
        """Give every home that waits on a communication qubit a data qubit, in whatever module has one free."""
        for q in range(self.n):
            if not self.parked[q]:
                continue
            here = self.home[q]
            if self.has_room(here):
                ghost = self.vacate(here)
                self.parked[q] = 0
                self.residents[here].add(q)
                self.settle(q)
                if ghost >= 0:
                    self.put_ghost(ghost, here)
                continue
            room = [m for m in range(self.k) if self.has_room(m) and self.can_reach(q, m)]
            if room:
                self.move(q, min(room, key=lambda m: (self.distance[here][m], m)))
            else:
                self.push_out(q, set(range(self.k)))

    def park(self, q: int) -> None:
        """The home of q moves onto a communication qubit of its module, which must have one free."""
        self.steps.append((Step.PARK, q, 0, 0))
        self.parked[q] = 1
        self.residents[self.home[q]].discard(q)
        self.free[self.home[q]] -= 1

    def shift(self, q: int, there: int) -> None:
        """The copy of q in `there` becomes its home, for the time being on its communication qubit."""
        self.steps.append((Step.SHIFT, q, there, 0))
        if self.parked[q]:
            self.parked[q] = 0
            self.free[self.home[q]] += 1
        self.goal[q] = -1
        self.residents[self.home[q]].discard(q)
        self.residents[there].add(q)
        self.copies[q].remove(there)
        self.held[there].remove(q)
        self.home[q] = there

    def settle(self, q: int) -> None:
        """The home of q leaves its communication qubit for a free data qubit."""
        self.steps.append((Step.SETTLE, q, 0, 0))
        self.free[self.home[q]] += 1

    def exchange(self, p: int, q: int) -> None:
        """Exchange the homes of two qubits: 2 ebits a hop if a module has two communication qubits, else 3."""
        if self.dead[p] or self.dead[q]:
            if self.dead[p]:
                p, q = q, p
            self.move(p, self.home[q])
            return
        if self.comm[self.home[p]] >= 2:
            p, q = q, p
        here, there = self.home[p], self.home[q]
        two = self.comm[there] >= 2
        if not two and not self.copied_exchange:
            self.no_exchange(here, there)
        for v, goal in ((p, there), (q, here)):
            for module in self.copies[v].copy():
                # A copy that is where the qubit goes is kept, if it leaves room for the other one's way.
                if module != goal or not two or self.comm[goal] < 2:
                    self.drop(v, module)
        if two:
            for v, goal in ((p, there), (q, here)):
                if goal not in self.copies[v] and not self.fetch(v, goal, [p, q]):
                    self.no_room(self.home[v], goal)
                self.shift(v, goal)
            self.settle(p)
            self.settle(q)
            return
        if not (self.make_room(here, ()) and self.make_room(there, ())):
            self.no_room(here, there)
        self.steps.append((Step.EXCHANGE, p, q, 0))
        for v, old, new in ((p, here, there), (q, there, here)):
            self.residents[old].discard(v)
            self.residents[new].add(v)
            self.home[v] = new
            self.goal[v] = -1

    def no_room(self, here: int, there: int) -> None:
        """Refuse a move for want of communication qubits."""
        a, b = self.network.modules[here], self.network.modules[there]
        raise InfeasibleError(
            f"a qubit cannot move from module {a.name} ({a.comm} communication qubits) to {b.name} ({b.comm}); "
            "each needs at least one"
        )

    def no_exchange(self, here: int, there: int) -> None:
        """Refuse an exchange by state teleportation for want of communication qubits."""
        a, b = self.network.modules[here], self.network.modules[there]
        raise InfeasibleError(
            f"two qubits cannot change places by state teleportation between modules {a.name} and {b.name}, whose data "
            f"qubits are all taken: that needs 2 communication qubits in one of them and 1 in the other, and they have "
            f"{a.comm} and {b.comm}; give one of them 2, or allow the technique 'exchange' (three copied CX, 3 ebits)"
        )

    def finish_homes(self) -> None:
        """Bring every qubit to the home that the placement wants at the end.

        Modules are completed farthest first in a breadth-first order of the network, so that what remains is
        always
        connected: every qubit can reach its module without passing a completed one.
        """
        self.unpark()
        for q in range(self.n):
            if self.dead[q]:
                self.target[q] = self.home[q]
        while self.teleport_home():
            pass
        remaining = set(self.target) | set(self.home)
        if all(h == t or dead for h, t, dead in zip(self.home, self.target, self.dead)):
            return
        order_, seen = [], set()
        for root in sorted(remaining):
            if root in seen:
                continue
            queue = [root]
            seen.add(root)
            for m in queue:
                for other in range(self.k):
                    if self.link_of[m][other] >= 0 and other not in seen:
                        seen.add(other)
                        queue.append(other)
            order_ += queue
        open_modules = set(order_)
        for module in reversed(order_):
            while True:
                strangers = [q for q in range(self.n) if self.target[q] == module != self.home[q] and not self.dead[q]]
                if not strangers:
                    break
                self.bring(
                    min(strangers, key=lambda q: (self.any_distance[self.home[q]][module], q)),
                    module,
                    open_modules,
                )
                while self.teleport_home():
                    pass
            # Strangers left in spare room leave too: later paths do not enter a completed module.
            for q in sorted(self.residents[module]):
                if self.target[q] != module and not self.dead[q]:
                    self.push_out(q, open_modules)
            open_modules.discard(module)

    def teleport_home(self) -> bool:
        """Teleport one qubit straight into a free data qubit of the module where it must end, if there is such."""
        for q in range(self.n):
            there = self.target[q]
            linked = self.link_of[self.home[q]][there] >= 0
            if self.home[q] != there and not self.dead[q] and self.has_room(there) and linked:
                self.move(q, there)
                return True
        return False

    def bring(self, q: int, goal: int, open_modules: set[int]) -> None:
        """Move q to `goal` through modules that are still open; those in its way step back by one hop."""
        path = self.open_path(self.home[q], goal, open_modules)
        for there in path:
            if self.has_room(there):
                self.move(q, there)
                continue
            here = self.home[q]
            settled = there == goal
            partners = [v for v in self.residents[there] if not (settled and self.target[v] == goal)]
            self.exchange(q, min(partners, key=lambda v: (self.target[v] != here, self.target[v] == there, v)))

    def push_out(self, q: int, open_modules: set[int]) -> None:
        """Make q leave its module towards the nearest free data qubit; qubits on the way move one hop on."""
        start = self.home[q]
        before = {start: start}
        queue = [start]
        for m in queue:
            if m != start and self.has_room(m):
                while m != start:
                    here = before[m]
                    self.move(q if here == start else min(v for v in self.residents[here] if not self.dead[v]), m)
                    m = here
                return
            for other in range(self.k):
                if self.link_of[m][other] >= 0 and other in open_modules and other not in before:
                    before[other] = m
                    queue.append(other)
        raise AssertionError("no room is left outside a module although the final homes fit")

    def open_path(self, start: int, goal: int, open_modules: set[int]) -> list[int]:
        """The modules on a shortest way from `start`, which is left out, to `goal` through open modules."""
        before = {goal: goal}
        queue = [goal]
        for m in queue:
            for other in range(self.k):
                if self.link_of[m][other] >= 0 and other in open_modules and other not in before:
                    before[other] = m
                    queue.append(other)
        path, at = [], start
        while at != goal:
            at = before[at]
            path.append(at)
        return path
