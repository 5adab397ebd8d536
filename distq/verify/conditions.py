"""Qiskit's classical conditions as Boolean functions of the measurements made so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from distq.errors import InputError
from distq.verify.booleans import FALSE, TRUE, Booleans

if TYPE_CHECKING:
    from qiskit.circuit import Clbit

#: The Boolean function that a classical bit holds at the moment.
BitValue = Callable[["Clbit"], int]


class Conditions:
    """Translates conditions; a number of several bits is a list of functions, lowest bit first."""

    def __init__(self, booleans: Booleans) -> None:
        self.booleans = booleans

    def condition(self, condition: Any, value_of: BitValue) -> int:
        """The function for the condition of an `if_test`: (bit, value), (register, value) or an expression."""
        from qiskit.circuit import Clbit

        if isinstance(condition, tuple):
            target, value = condition
            bits = [target] if isinstance(target, Clbit) else list(target)
            return self.equals([value_of(b) for b in bits], int(value))
        return self._truth(self._bits(condition, value_of))

    def target(self, target: Any, value_of: BitValue) -> list[int]:
        """The bits of the target of a `switch`."""
        from qiskit.circuit import ClassicalRegister, Clbit

        if isinstance(target, Clbit):
            return [value_of(target)]
        if isinstance(target, ClassicalRegister):
            return [value_of(b) for b in target]
        return self._bits(target, value_of)

    def equals(self, bits: Sequence[int], value: int) -> int:
        """The function: these bits are the number `value`."""
        if value < 0 or value >> len(bits):
            return FALSE
        b = self.booleans
        return b.all_of(f if value >> i & 1 else b.negate(f) for i, f in enumerate(bits))

    def _truth(self, bits: Sequence[int]) -> int:
        result = FALSE
        for f in bits:
            result = self.booleans.disj(result, f)
        return result

    def _bits(self, node: Any, value_of: BitValue) -> list[int]:
        from qiskit.circuit import ClassicalRegister, Clbit
        from qiskit.circuit.classical import expr, types

        if isinstance(node, expr.Var):
            if isinstance(node.var, Clbit):
                return [value_of(node.var)]
            if isinstance(node.var, ClassicalRegister):
                return [value_of(b) for b in node.var]
            raise InputError(f"condition on the classical variable {node.name!r}: only measured bits are supported.")
        if isinstance(node, expr.Value):
            if not isinstance(node.type, (types.Bool, types.Uint)):
                raise InputError(f"condition with a value of type {node.type!r}: only bits and integers can be read.")
            return [int(node.value) >> i & 1 for i in range(_width(node.type))]
        if isinstance(node, expr.Cast):
            bits = self._bits(node.operand, value_of)
            if isinstance(node.type, types.Bool):
                return [self._truth(bits)]
            return _fit(bits, _width(node.type))
        if isinstance(node, expr.Index):
            return [self._index(self._bits(node.target, value_of), self._bits(node.index, value_of))]
        if isinstance(node, expr.Unary):
            return self._unary(node, self._bits(node.operand, value_of))
        if isinstance(node, expr.Binary):
            return self._binary(node, self._bits(node.left, value_of), self._bits(node.right, value_of))
        raise InputError(f"condition {node!r}: only measured bits, integers and their comparisons are supported.")

    def _unary(self, node: Any, bits: list[int]) -> list[int]:
        from qiskit.circuit.classical import expr

        if node.op is expr.Unary.Op.BIT_NOT:
            return [self.booleans.negate(f) for f in bits]
        if node.op is expr.Unary.Op.LOGIC_NOT:
            return [self.booleans.negate(self._truth(bits))]
        raise InputError(f"condition with the operation {node.op.name}: it is not supported.")

    def _binary(self, node: Any, left: list[int], right: list[int]) -> list[int]:
        from qiskit.circuit.classical import expr

        op, b = expr.Binary.Op, self.booleans
        bitwise = {op.BIT_AND: b.conj, op.BIT_OR: b.disj, op.BIT_XOR: b.xor}
        if node.op in bitwise:
            width = max(len(left), len(right))
            pairs = zip(_fit(left, width), _fit(right, width))
            return [bitwise[node.op](f, g) for f, g in pairs]
        if node.op in (op.SHIFT_LEFT, op.SHIFT_RIGHT):
            return self._shift(left, right, node.op is op.SHIFT_LEFT)
        if node.op is op.LOGIC_AND:
            return [b.conj(self._truth(left), self._truth(right))]
        if node.op is op.LOGIC_OR:
            return [b.disj(self._truth(left), self._truth(right))]
        width = max(len(left), len(right))
        left, right = _fit(left, width), _fit(right, width)
        equal, less = TRUE, FALSE
        for f, g in zip(left, right):  # from the lowest bit: the highest different bit decides
            same = b.negate(b.xor(f, g))
            equal = b.conj(equal, same)
            less = b.ite(same, less, g)
        results = {
            op.EQUAL: equal,
            op.NOT_EQUAL: b.negate(equal),
            op.LESS: less,
            op.LESS_EQUAL: b.disj(less, equal),
            op.GREATER: b.negate(b.disj(less, equal)),
            op.GREATER_EQUAL: b.negate(less),
        }
        if node.op not in results:
            raise InputError(f"condition with the operation {node.op.name}: it is not supported.")
        return [results[node.op]]

    def _shift(self, bits: list[int], amount: list[int], left: bool) -> list[int]:
        b, width = self.booleans, len(bits)
        for i, f in enumerate(amount):
            step = min(1 << i, width)
            zeros = [FALSE] * step
            moved = (zeros + bits)[:width] if left else bits[step:] + zeros
            bits = [b.ite(f, m, old) for m, old in zip(moved, bits)]
        return bits

    def _index(self, bits: list[int], index: list[int]) -> int:
        result = FALSE
        for i, f in enumerate(bits):
            result = self.booleans.disj(result, self.booleans.conj(self.equals(index, i), f))
        return result


def _width(kind: Any) -> int:
    from qiskit.circuit.classical import types

    return 1 if isinstance(kind, types.Bool) else int(kind.width)


def _fit(bits: list[int], width: int) -> list[int]:
    return (bits + [FALSE] * width)[:width]
