"""Conditions on classical bits as disjoint conjunctions over bit versions.

A condition is a Boolean function of the versions that the classical bits hold at that moment. It is kept as a reduced
ordered binary decision diagram, whose paths to 1 are disjoint conjunctions.

References:
    Bryant, IEEE Trans. Comput. C-35, 677 (1986), doi:10.1109/TC.1986.1676819.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distq.ops import Conjunction, DecisionList

#: More disjoint conjunctions than this are refused (a parity of 13 bits).
MAX_CONJUNCTIONS = 2048
#: More nodes than this are refused.
MAX_NODES = 200_000

FALSE, TRUE = 0, 1


class TooComplexError(Exception):
    """A condition needs too many conjunctions."""


class UnsupportedConditionError(Exception):
    """A condition uses something that is not supported; the text says what."""


class Diagrams:
    """Binary decision diagrams over bit versions. A function is an integer; 0 and 1 are the constants."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, int, int]] = [(1 << 60, 0, 0), (1 << 60, 1, 1)]
        self._index: dict[tuple[int, int, int], int] = {}
        self._memo: dict[tuple[int, int, int], int] = {}

    def bit(self, version: int) -> int:
        """The value of a bit version; -1 is the constant 0."""
        return FALSE if version < 0 else self._node(version, FALSE, TRUE)

    def _node(self, version: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (version, low, high)
        found = self._index.get(key)
        if found is None:
            if len(self._nodes) > MAX_NODES:
                raise TooComplexError
            found = len(self._nodes)
            self._nodes.append(key)
            self._index[key] = found
        return found

    def ite(self, f: int, g: int, h: int) -> int:
        """`g` where `f`, else `h`."""
        if f <= TRUE:
            return g if f else h
        if g == h:
            return g
        if g == TRUE and h == FALSE:
            return f
        key = (f, g, h)
        found = self._memo.get(key)
        if found is None:
            version = min(self._nodes[k][0] for k in key)
            low = [self._branch(k, version, 1) for k in key]
            high = [self._branch(k, version, 2) for k in key]
            found = self._node(version, self.ite(*low), self.ite(*high))
            self._memo[key] = found
        return found

    def _branch(self, f: int, version: int, side: int) -> int:
        node = self._nodes[f]
        return node[side] if node[0] == version else f

    def conj(self, f: int, g: int) -> int:
        """Conjunction."""
        return self.ite(f, g, FALSE)

    def disj(self, f: int, g: int) -> int:
        """Disjunction."""
        return self.ite(f, TRUE, g)

    def neg(self, f: int) -> int:
        """Negation."""
        return self.ite(f, FALSE, TRUE)

    def xor(self, f: int, g: int) -> int:
        """Exclusive or."""
        return self.ite(f, self.neg(g), g)

    def of_conjunction(self, conjunction: Conjunction) -> int:
        """The function that a guard is."""
        result = TRUE
        for version, value in sorted(conjunction, reverse=True):
            literal = self.bit(version)
            result = self.conj(result, literal if value else self.neg(literal))
        return result

    def of_decision_list(self, entries: DecisionList) -> int:
        """The value of a classical bit."""
        result = FALSE
        for conjunction, version in reversed(entries):
            result = self.ite(self.of_conjunction(conjunction), self.bit(version), result)
        return result

    def under(self, f: int, known: Conjunction) -> int:
        """`f` where the bits in `known` have these values."""
        values = dict(known)
        memo: dict[int, int] = {}

        def walk(node: int) -> int:
            if node <= TRUE:
                return node
            if node not in memo:
                version, low, high = self._nodes[node]
                if version in values:
                    memo[node] = walk(high if values[version] else low)
                else:
                    memo[node] = self._node(version, walk(low), walk(high))
            return memo[node]

        return walk(f)

    def conjunctions(self, f: int) -> list[Conjunction]:
        """Disjoint conjunctions whose union is `f`.

        Raises:
            TooComplexError: there are more than `MAX_CONJUNCTIONS`.
        """
        result: list[Conjunction] = []
        stack: list[tuple[int, Conjunction]] = [(f, ())]
        while stack:
            node, path = stack.pop()
            if node == FALSE:
                continue
            if node == TRUE:
                result.append(path)
                if len(result) > MAX_CONJUNCTIONS:
                    raise TooComplexError
                continue
            version, low, high = self._nodes[node]
            stack.append((high, (*path, (version, 1))))
            stack.append((low, (*path, (version, 0))))
        return result


def assign(entries: DecisionList, guard: Conjunction, version: int) -> DecisionList:
    """The value of a classical bit after `version` is written to it under `guard`."""
    if not guard:
        return (((), version),)
    wanted = set(guard)
    rest = [e for e in entries if not wanted <= set(e[0])]
    return simplify(((guard, version), *rest))


def simplify(entries: DecisionList) -> DecisionList:
    """Drop entries and literals that the earlier entries of one literal make superfluous."""
    known: dict[int, int] = {}
    result: list[tuple[Conjunction, int]] = []
    for conjunction, version in entries:
        if any(known.get(b, v) != v for b, v in conjunction):
            continue
        rest = tuple((b, v) for b, v in conjunction if b not in known)
        result.append((rest, version))
        if not rest:
            break
        if len(rest) == 1:
            known[rest[0][0]] = 1 - rest[0][1]
    return tuple(result)


#: A value of a classical expression: one function per bit, lowest first.
Bits = list[int]


class Evaluator:
    """Turns Qiskit's conditions into decision diagrams.

    Args:
        diagrams: where the functions live.
        read: gives the function of a Clbit of the scope.
    """

    def __init__(self, diagrams: Diagrams, read: Callable[[Any], int]) -> None:
        self._d = diagrams
        self._read = read

    def condition(self, condition: Any) -> int:
        """The function of an IfElseOp condition: (Clbit or ClassicalRegister, value), or an `expr.Expr`.

        Raises:
            UnsupportedConditionError: it holds something that is not a function of measured bits.
        """
        from qiskit.circuit.classical import expr

        if isinstance(condition, expr.Expr):
            return self.any_of(self.expression(condition))
        target, value = condition
        bits = self._target(target)
        value = int(value)
        return self.equal(bits, [value >> k & 1 for k in range(max(len(bits), value.bit_length()))])

    def _target(self, target: Any) -> Bits:
        from qiskit.circuit import Clbit

        if isinstance(target, Clbit):
            return [self._read(target)]
        return [self._read(bit) for bit in target]

    def any_of(self, bits: Bits) -> int:
        """Whether a number is not zero."""
        result = FALSE
        for bit in reversed(bits):
            result = self._d.disj(bit, result)
        return result

    def equal(self, a: Bits, b: Bits) -> int:
        """Whether two numbers are equal."""
        result = TRUE
        for x, y in reversed(list(self._pairs(a, b))):
            result = self._d.conj(self._d.neg(self._d.xor(x, y)), result)
        return result

    @staticmethod
    def _pairs(a: Bits, b: Bits) -> list[tuple[int, int]]:
        width = max(len(a), len(b))
        return list(zip(a + [FALSE] * (width - len(a)), b + [FALSE] * (width - len(b))))

    def less(self, a: Bits, b: Bits) -> int:
        """Whether a < b."""
        result = FALSE
        for x, y in self._pairs(a, b):
            result = self._d.ite(self._d.xor(x, y), y, result)
        return result

    def expression(self, node: Any) -> Bits:
        """The bits of an `expr.Expr`; a Boolean has one."""
        from qiskit.circuit.classical import expr

        if isinstance(node, expr.Value):
            return self._value(node)
        if isinstance(node, expr.Var):
            if node.standalone:
                raise UnsupportedConditionError(f"the stored classical variable '{node.name}'")
            return self._target(node.var)
        if isinstance(node, expr.Cast):
            return self._resize(self.expression(node.operand), node.type)
        if isinstance(node, expr.Index):
            return self._index(self.expression(node.target), self.expression(node.index))
        if isinstance(node, expr.Unary):
            return self._unary(node.op, self.expression(node.operand))
        if isinstance(node, expr.Binary):
            return self._binary(node)
        raise UnsupportedConditionError(f"the expression {node!r}")

    def _value(self, node: Any) -> Bits:
        value = node.value
        if isinstance(value, bool):
            return [TRUE if value else FALSE]
        if isinstance(value, int) and value >= 0:
            return [value >> k & 1 for k in range(_width(node.type))]
        raise UnsupportedConditionError(f"the constant {value!r} of type {node.type!r}")

    def _resize(self, bits: Bits, kind: Any) -> Bits:
        from qiskit.circuit.classical import types

        if isinstance(kind, types.Bool):
            return [self.any_of(bits)]
        width = _width(kind)
        return (bits + [FALSE] * width)[:width]

    def _unary(self, op: Any, bits: Bits) -> Bits:
        from qiskit.circuit.classical import expr

        if op == expr.Unary.Op.BIT_NOT:
            return [self._d.neg(b) for b in bits]
        if op == expr.Unary.Op.LOGIC_NOT:
            return [self._d.neg(self.any_of(bits))]
        raise UnsupportedConditionError(f"the operator {op.name}")

    def _binary(self, node: Any) -> Bits:
        from qiskit.circuit.classical import expr

        op, ops, d = node.op, expr.Binary.Op, self._d
        a, b = self.expression(node.left), self.expression(node.right)
        bitwise = {ops.BIT_AND: d.conj, ops.BIT_OR: d.disj, ops.BIT_XOR: d.xor}
        logical: dict[Any, Callable[[], int]] = {
            ops.LOGIC_AND: lambda: d.conj(self.any_of(a), self.any_of(b)),
            ops.LOGIC_OR: lambda: d.disj(self.any_of(a), self.any_of(b)),
            ops.EQUAL: lambda: self.equal(a, b),
            ops.NOT_EQUAL: lambda: d.neg(self.equal(a, b)),
            ops.LESS: lambda: self.less(a, b),
            ops.LESS_EQUAL: lambda: d.neg(self.less(b, a)),
            ops.GREATER: lambda: self.less(b, a),
            ops.GREATER_EQUAL: lambda: d.neg(self.less(a, b)),
        }
        if op in bitwise:
            return [bitwise[op](x, y) for x, y in self._pairs(a, b)]
        if op in logical:
            return [logical[op]()]
        width = _width(node.type)
        if op in (ops.SHIFT_LEFT, ops.SHIFT_RIGHT):
            return self._shift(a, b, left=op == ops.SHIFT_LEFT)
        if op == ops.ADD:
            return self._add(a, b, FALSE, width)
        if op == ops.SUB:
            return self._add(a, [d.neg(x) for x in (b + [FALSE] * width)[:width]], TRUE, width)
        raise UnsupportedConditionError(f"the operator {op.name}")

    def _add(self, a: Bits, b: Bits, carry: int, width: int) -> Bits:
        result: Bits = []
        d = self._d
        for x, y in zip((a + [FALSE] * width)[:width], (b + [FALSE] * width)[:width]):
            half = d.xor(x, y)
            result.append(d.xor(half, carry))
            carry = d.ite(half, carry, x)
        return result

    def _shift(self, a: Bits, amount: Bits, *, left: bool) -> Bits:
        for k, bit in enumerate(amount):
            step = min(1 << k, len(a))
            moved = [FALSE] * step + a[: len(a) - step] if left else a[step:] + [FALSE] * step
            a = [self._d.ite(bit, x, y) for x, y in zip(moved, a)]
        return a

    def _index(self, bits: Bits, index: Bits) -> Bits:
        result = FALSE
        for k, bit in enumerate(bits):
            here = self.equal(index, [k >> j & 1 for j in range(max(len(index), k.bit_length()))])
            result = self._d.ite(here, bit, result)
        return [result]


def _width(kind: Any) -> int:
    from qiskit.circuit.classical import types

    if isinstance(kind, types.Bool):
        return 1
    if isinstance(kind, types.Uint):
        return int(kind.width)
    raise UnsupportedConditionError(f"a value of type {kind!r}")


def evaluate(entries: DecisionList, versions: Sequence[int]) -> int:
    """The value of a classical bit, given the values of all bit versions."""
    for conjunction, version in entries:
        if all(versions[b] == v for b, v in conjunction):
            return 0 if version < 0 else int(versions[version])
    return 0
