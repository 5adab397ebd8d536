"""A small exact simulator: every measurement branch, on the qubits that hold something at the moment.

Qubits that are in a known basis state (never used, measured or reset) take no room; branches that the rest of
the run cannot tell apart (equal states, equal values of the bits that are still read) are merged, so that a
correct teleportation program has a handful of branches whatever the number of its measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.complex128]
#: A conjunction of (bit, value).
Guard = tuple[tuple[int, int], ...]

#: Outcomes less likely than this, relative to their branch, are rounding noise.
NEVER = 1e-20
#: States whose difference, up to a phase, is shorter than this are the same branch.
SAME = 1e-10
#: Amplitudes that a fingerprint looks at, and that are compared at once.
PROBE = 2**13


class TooLargeError(Exception):
    """The run needs more qubits, branches or work than allowed; the message says which."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. The kind says which of the rest matters.

    Kinds: "gate" (`matrix` on the qubits after the first `controls`; the first qubit of those is the least
    significant index, as in Qiskit; `pattern` has the value that each control must have), "diagonal"
    (`matrix` holds the diagonal), "swap", "measure" (writes `bit`), "reset", "eval" (`bit` becomes `function`
    of the values of `reads`). A step is carried out in the branches in which `guard` holds; `name` is for
    messages.
    """

    kind: str
    qubits: tuple[int, ...] = ()
    matrix: NDArray[np.complex128] | None = None
    controls: int = 0
    pattern: tuple[int, ...] = ()
    guard: Guard = ()
    bit: int = -1
    reads: tuple[int, ...] = ()
    function: Callable[[Sequence[int]], int] | None = None
    name: str = ""


@dataclass(slots=True)
class Branch:
    """An unnormalised state; its squared norm is the probability of the branch.

    Attributes:
        state: tensor with one axis of length 2 for each entry of `axes`.
        axes: qubits that take room.
        known: qubits in a known basis state that is not 0.
        bits: values of the bits that are 1 and still matter.
        deferred: bits whose value is still an axis of the state: bit -> qubit.
        weight: squared norm of the state.
    """

    state: State
    axes: list[int]
    weight: float = 1.0
    known: set[int] = field(default_factory=set)
    bits: set[int] = field(default_factory=set)
    deferred: dict[int, int] = field(default_factory=dict)

    def fork(self, state: State, axes: list[int], weight: float) -> Branch:
        """A branch with the same classical record."""
        return Branch(state, axes, weight, set(self.known), set(self.bits), dict(self.deferred))


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        qubits: qubits that take room at one moment.
        branches: different branches at one moment.
        work: amplitudes written, in total.
        sample: draw at random among branches that exceed the limit, rather than give up.
    """

    qubits: int = 22
    branches: int = 2**12
    work: float = 4e9
    sample: bool = False


@dataclass
class Run:
    """What came out: the branches at the end, and whether some were left out."""

    branches: list[Branch]
    sampled: bool = False
    work: float = 0.0
    peak_branches: int = 1


def simulate(
    steps: Sequence[Step],
    start: Branch,
    outputs: frozenset[int],
    kept: frozenset[int],
    limits: Limits,
    rng: np.random.Generator,
) -> Run:
    """Run all branches.

    Args:
        steps: what to do.
        start: the state at the start; it may hold reference qubits that no step mentions.
        outputs: bits whose values at the end matter.
        kept: qubits whose state at the end matters.
        limits: what the run may use.
        rng: for fingerprints, and for the choice of branches when sampling.

    Raises:
        TooLargeError: a limit was exceeded.
    """
    return _Simulator(steps, outputs, kept, limits, rng).run(start)


def estimate_peak(steps: Sequence[Step], start: Sequence[int]) -> tuple[int, float]:
    """(qubits alive at once at most, amplitudes written in one branch): an upper bound, without states."""
    live = set(start)
    peak, work = len(live), 0.0
    for step in steps:
        if step.kind in ("gate", "diagonal"):
            live.update(step.qubits)
        elif step.kind in ("measure", "reset") and not step.guard:
            live.discard(step.qubits[0])
        elif step.kind == "swap":
            a, b = step.qubits
            if (a in live) != (b in live) and not step.guard:
                live ^= {a, b}
            elif a in live or b in live:
                live |= {a, b}
        peak = max(peak, len(live))
        work += 2.0 ** len(live)
    return peak, work


class _Simulator:
    def __init__(
        self,
        steps: Sequence[Step],
        outputs: frozenset[int],
        kept: frozenset[int],
        limits: Limits,
        rng: np.random.Generator,
    ) -> None:
        self.steps, self.outputs, self.limits, self.rng = steps, outputs, limits, rng
        self.work = 0.0
        self.sampled = False
        self.peak = 1
        self.last_read: dict[int, int] = {}
        last_touch: dict[int, int] = {}
        writes: dict[int, int] = {}
        for i, step in enumerate(steps):
            for bit, _ in step.guard:
                self.last_read[bit] = i
            for bit in step.reads:
                self.last_read[bit] = i
            for q in step.qubits:
                last_touch[q] = i
            if step.bit >= 0:
                writes[step.bit] = writes.get(step.bit, 0) + 1
        #: Measurements after which nothing looks at the qubit or the bit need no branching before the end.
        self.deferrable = {
            i
            for i, step in enumerate(steps)
            if step.kind == "measure"
            and not step.guard
            and step.bit >= 0
            and last_touch[step.qubits[0]] == i
            and step.qubits[0] not in kept
            and writes[step.bit] == 1
            and step.bit not in self.last_read
        }
        #: Measurements after which the qubit's value does not matter.
        self.forgets: set[int] = set()
        following: dict[int, Step] = {}
        for i in range(len(steps) - 1, -1, -1):
            step = steps[i]
            if step.kind == "measure":
                q = step.qubits[0]
                after = following.get(q)
                if q not in kept if after is None else (after.kind == "reset" and not after.guard):
                    self.forgets.add(i)
            for q in step.qubits:
                following[q] = step
        #: Random vectors for fingerprints of states, and the places that they look at, by size of the state.
        self.probes: dict[int, tuple[State, NDArray[np.int64]]] = {}

    def run(self, start: Branch) -> Run:
        branches = [start]
        for i, step in enumerate(self.steps):
            following: list[Branch] = []
            for branch in branches:
                if all((bit in branch.bits) == bool(value) for bit, value in step.guard):
                    following.extend(self.apply(i, step, branch))
                else:
                    following.append(branch)
            branches = following
            dead = self.dying(i, step)
            for branch in branches:
                branch.bits.difference_update(dead)
            if len(branches) > 1:
                if dead or step.kind in ("measure", "reset"):
                    branches = self.merge(branches)
                self.peak = max(self.peak, len(branches))
                branches = self.limit(branches, len(self.steps) - i - 1)
            if self.work > self.limits.work:
                raise TooLargeError(f"more than {self.limits.work:.1g} amplitude updates")
        return Run(branches, self.sampled, self.work, self.peak)

    def dying(self, index: int, step: Step) -> list[int]:
        """Bits of this step whose value does not matter after it."""
        found = [bit for bit, _ in step.guard] + list(step.reads)
        if step.bit >= 0:
            found.append(step.bit)
        return [b for b in found if self.last_read.get(b, -1) <= index and b not in self.outputs]

    def limit(self, branches: list[Branch], remaining: int) -> list[Branch]:
        if self.limits.sample:
            cost = max(1.0, float(remaining) * branches[0].state.size)
            allowed = int(min(self.limits.branches, max(1.0, (self.limits.work - self.work) / 2 / cost)))
            if len(branches) > allowed:
                self.sampled = True
                chosen = np.sort(self.rng.choice(len(branches), allowed, replace=False))
                return [branches[j] for j in chosen]
        elif len(branches) > self.limits.branches:
            raise TooLargeError(f"more than {self.limits.branches} different measurement branches")
        return branches

    def apply(self, index: int, step: Step, branch: Branch) -> list[Branch]:
        kind = step.kind
        if kind == "measure":
            found = self.measure(branch, step.qubits[0], step.bit, index in self.deferrable)
            if index in self.forgets:
                for child in found:
                    child.known.discard(step.qubits[0])
            return found
        if kind == "reset":
            return self.measure(branch, step.qubits[0], -1, False, reset=True)
        if kind == "eval":
            assert step.function is not None
            self.write(branch, step.bit, step.function([int(b in branch.bits) for b in step.reads]))
        elif kind == "swap":
            _swap(branch, *step.qubits)
        elif kind == "diagonal":
            self.diagonal(branch, step)
        else:
            self.gate(branch, step)
        return [branch]

    @staticmethod
    def write(branch: Branch, bit: int, value: int) -> None:
        if value:
            branch.bits.add(bit)
        else:
            branch.bits.discard(bit)

    def make_room(self, branch: Branch, qubits: Sequence[int]) -> None:
        for q in qubits:
            if q not in branch.axes:
                if len(branch.axes) >= self.limits.qubits:
                    raise TooLargeError(f"more than {self.limits.qubits} qubits hold something at once")
                grown = np.zeros((2, *branch.state.shape), np.complex128)
                grown[int(q in branch.known)] = branch.state
                branch.state = grown
                branch.axes.insert(0, q)
                branch.known.discard(q)

    def gate(self, branch: Branch, step: Step) -> None:
        matrix = step.matrix
        assert matrix is not None
        controls, targets = [], step.qubits[step.controls :]
        for q, value in zip(step.qubits[: step.controls], step.pattern):
            if q in branch.axes:
                controls.append((q, value))
            elif (q in branch.known) != bool(value):
                return
        if not controls and len(targets) == 1 and targets[0] not in branch.axes and _is_x(matrix):
            branch.known ^= {targets[0]}
            return
        self.make_room(branch, targets)
        self.work += branch.state.size
        where: list[int | slice] = [slice(None)] * len(branch.axes)
        for q, value in controls:
            where[branch.axes.index(q)] = value
        # Axes left in the view of the controlled subspace.
        left = [q for q, w in zip(branch.axes, where) if isinstance(w, slice)]
        view = branch.state[tuple(where)]
        result = _contract(view, matrix, [left.index(q) for q in targets])
        if controls:
            branch.state[tuple(where)] = result
        else:
            branch.state = result

    def diagonal(self, branch: Branch, step: Step) -> None:
        assert step.matrix is not None
        k = len(step.qubits)
        values = step.matrix.reshape((2,) * k)  # axis j belongs to qubit k-1-j
        index: list[int | slice] = []
        kept: list[int] = []
        for q in reversed(step.qubits):
            if q in branch.axes:
                index.append(slice(None))
                kept.append(q)
            else:
                index.append(int(q in branch.known))
        values = values[tuple(index)]
        if not kept:
            return  # a phase of the whole branch
        order = sorted(range(len(kept)), key=lambda j: branch.axes.index(kept[j]))
        present = set(kept)
        shape = [2 if q in present else 1 for q in branch.axes]
        self.work += branch.state.size
        branch.state = branch.state * values.transpose(order).reshape(shape)

    def measure(self, branch: Branch, q: int, bit: int, defer: bool, reset: bool = False) -> list[Branch]:
        if q not in branch.axes:
            if bit >= 0:
                self.write(branch, bit, int(q in branch.known))
            if reset:
                branch.known.discard(q)
            return [branch]
        if defer:
            branch.deferred[bit] = q
            return [branch]
        axis = branch.axes.index(q)
        self.work += branch.state.size
        halves = [np.take(branch.state, v, axis) for v in (0, 1)]
        weights = [float(np.vdot(h, h).real) for h in halves]
        axes = branch.axes[:axis] + branch.axes[axis + 1 :]
        result = []
        for value in (0, 1):
            if weights[value] <= NEVER * (weights[0] + weights[1]):
                continue
            child = branch.fork(halves[value], list(axes), weights[value])
            if bit >= 0:
                self.write(child, bit, value)
            if value and not reset:
                child.known.add(q)
            result.append(child)
        return result

    def merge(self, branches: list[Branch]) -> list[Branch]:
        """Join branches that nothing in the rest of the run can tell apart."""
        groups: dict[object, list[Branch]] = {}
        for branch in branches:
            key = (
                frozenset(branch.bits),
                frozenset(branch.known),
                tuple(branch.axes),
                tuple(sorted(branch.deferred.items())),
            )
            groups.setdefault(key, []).append(branch)
        result: list[Branch] = []
        for group in groups.values():
            result.extend(group if len(group) == 1 else self.merge_equal(group))
        return result

    def fingerprint(self, branch: Branch) -> float:
        """A number that equal states (up to a phase) share, and hardly any others."""
        flat = branch.state.reshape(-1)
        found = self.probes.get(flat.size)
        if found is None:
            count = min(flat.size, PROBE)
            vector = self.rng.normal(size=count) + 1j * self.rng.normal(size=count)
            places = np.sort(self.rng.choice(flat.size, count, replace=False))
            found = self.probes[flat.size] = (vector, places)
        vector, places = found
        return float(abs(np.vdot(vector, flat[places])) / np.sqrt(branch.weight))

    def merge_equal(self, group: list[Branch]) -> list[Branch]:
        """Join equal states: neighbours by fingerprint are compared in full."""
        prints = [self.fingerprint(b) for b in group]
        merged: list[Branch] = []
        weights: list[float] = []
        for j in np.argsort(prints):
            branch = group[j]
            if merged and _same(merged[-1], branch):
                weights[-1] += branch.weight
            else:
                merged.append(branch)
                weights.append(branch.weight)
        for branch, weight in zip(merged, weights):
            if weight != branch.weight:
                branch.state *= np.sqrt(weight / branch.weight)
                branch.weight = weight
        self.work += 2.0 * group[0].state.size * len(group)
        return merged


def _same(first: Branch, second: Branch) -> bool:
    """Whether two states are equal up to their norm and a phase."""
    a, b = first.state.reshape(-1), second.state.reshape(-1)
    overlap = complex(np.vdot(b, a))
    if abs(overlap) ** 2 < 0.999999 * first.weight * second.weight:
        return False
    factor = overlap / second.weight
    distance = 0.0
    for start in range(0, a.size, PROBE):
        rest = a[start : start + PROBE] - factor * b[start : start + PROBE]
        distance += float(np.vdot(rest, rest).real)
        if distance > SAME**2 * first.weight:
            return False
    return True


def _swap(branch: Branch, a: int, b: int) -> None:
    branch.axes = [b if q == a else a if q == b else q for q in branch.axes]
    if (a in branch.known) != (b in branch.known):
        branch.known ^= {a, b}


def _is_x(matrix: State) -> bool:
    return bool(abs(matrix[0, 0]) < 1e-15 and abs(matrix[1, 1]) < 1e-15)


def _contract(state: State, matrix: State, axes: list[int]) -> State:
    """Apply a matrix to some axes of a tensor; the first of `axes` is the least significant index."""
    k = len(axes)
    if k == 1:
        moved = np.moveaxis(state, axes[0], 0)
        low, high = moved[0], moved[1]
        result = np.empty(state.shape, np.complex128)
        out = np.moveaxis(result, axes[0], 0)
        out[0] = matrix[0, 0] * low + matrix[0, 1] * high
        out[1] = matrix[1, 0] * low + matrix[1, 1] * high
        return result
    back = axes[::-1]
    moved = np.moveaxis(state, back, range(k))
    shape = moved.shape
    product = matrix @ moved.reshape(2**k, -1)
    return np.ascontiguousarray(np.moveaxis(product.reshape(shape), range(k), back))
