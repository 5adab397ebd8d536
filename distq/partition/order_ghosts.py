"""Wires that hold nothing that matters: they give their places to others, and begin again anywhere."""

from __future__ import annotations

from distq.partition.order_state import OrderState
from distq.partition.plan import Step


class Ghosts(OrderState):
    """The part of the list scheduler for wires between their lives (`PacketGraph.dead`).

    Such a wire keeps a place, so that there is one for every wire at any time, but gives it up to whoever needs it.
    That costs nothing: what it holds is thrown away, and the place it gets instead is any that is free.
    """

    def has_room(self, module: int) -> bool:
        """Whether a module has a free data qubit, or one whose wire gives it up."""
        here = self.residents[module]
        return len(here) < self.data[module] or any(self.dead[q] for q in here)

    def die(self, q: int) -> None:
        """From here on q holds nothing that matters."""
        self.drop_all(q)
        self.dead[q] = 1
        self.goal[q] = -1

    def vacate(self, module: int) -> int:
        """Make a data qubit of a module free; the wire that has no place now, -1 if one was free."""
        if len(self.residents[module]) < self.data[module]:
            return -1
        ghost = min(q for q in self.residents[module] if self.dead[q])
        self.steps.append((Step.JUMP, ghost, -1, 0))
        self.residents[module].discard(ghost)
        return ghost

    def put_ghost(self, ghost: int, module: int) -> None:
        """Give a wire without a place one: in this module if there is any, else nearby."""
        if len(self.residents[module]) >= self.data[module]:
            near = [m for m in self.part if len(self.residents[m]) < self.data[m]]
            module = min(near, key=lambda m: (self.any_distance[module][m], m))
        self.steps.append((Step.JUMP, ghost, module, 0))
        self.residents[module].add(ghost)
        self.home[ghost] = module
        if self.target[ghost] != module and self.segment[ghost] == self.segment_offsets[ghost + 1]:
            self.target[ghost] = module

    def jump(self, q: int, module: int) -> None:
        """Give a wire that holds nothing a place in another module; another such wire may have to leave it."""
        here = self.home[q]
        ghost = self.vacate(module)
        self.steps.append((Step.JUMP, q, module, 0))
        self.residents[here].discard(q)
        self.residents[module].add(q)
        self.home[q] = module
        if self.segment[q] == self.segment_offsets[q + 1]:
            self.target[q] = module
        if ghost >= 0:
            self.put_ghost(ghost, here)
