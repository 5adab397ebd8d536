"""Angles in module files (floats, or arithmetic expressions of the declared inputs) and formulas of derived inputs."""

from __future__ import annotations

import ast
import math
import operator
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache

#: A number [rad] or the text of an expression of unbound parameters.
Angle = float | str

_BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: dict[type, Callable[[float], float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "exp": math.exp,
    "log": math.log,
    "ln": math.log,
    "sqrt": math.sqrt,
    "abs": abs,
    "pow": math.pow,
    "sign": lambda x: float((x > 0) - (x < 0)),
}
_CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}


def finite(value: float) -> float:
    """The value, if it is a finite real number.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


@lru_cache(maxsize=65536)
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not an arithmetic expression") from error


def names_in(text: str, *, formula: bool = True) -> frozenset[str]:
    """The inputs that an expression refers to.

    Args:
        text: the expression.
        formula: whether functions and powers may occur; a module file has none. It has no quotient of two integers
            either, which OpenQASM 3 would round.

    Raises:
        ValueError: the text is no expression of these kinds.
    """
    found: set[str] = set()

    def walk(node: ast.expr) -> None:
        match node:
            case ast.Constant(value=int() | float() as number):
                if abs(number) > sys.float_info.max:
                    raise ValueError("one of its numbers is not a finite number")
            case ast.Name(id=name):
                if name not in _CONSTANTS:
                    found.add(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY and (formula or _exact(node)):
                walk(left)
                walk(right)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                walk(operand)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if formula and name in _FUNCTIONS:
                for arg in args:
                    walk(arg)
            case _:
                raise ValueError(f"{ast.unparse(node)!r} cannot stand in an angle")

    try:
        walk(_tree(text))
    except RecursionError as error:
        raise ValueError(f"{text[:60]!r} is nested too deeply") from error
    return frozenset(found)


def _exact(node: ast.BinOp) -> bool:
    """Whether an operation means the same in OpenQASM 3 as here."""
    if isinstance(node.op, ast.Div):
        return not (_integral(node.left) and _integral(node.right))
    return not isinstance(node.op, ast.Pow)


def _integral(node: ast.expr) -> bool:
    """Whether OpenQASM 3 takes this for an integer: integers alone occur in it."""
    leaves = [n for n in ast.walk(node) if isinstance(n, (ast.Constant, ast.Name))]
    return all(isinstance(n, ast.Constant) and isinstance(n.value, int) for n in leaves)


def evaluate(angle: Angle, values: Mapping[str, float]) -> float:
    """The number [rad] that an angle stands for when the parameters have these values."""
    if not isinstance(angle, str):
        return angle

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=number):
                return float(number)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return _CONSTANTS[name] if name in _CONSTANTS else values[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return _UNARY[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*(value(a) for a in args))
        raise ValueError(f"{angle!r} cannot be evaluated")

    try:
        return value(_tree(angle))
    except RecursionError as error:
        raise ValueError(f"{angle[:60]!r} is nested too deeply") from error
