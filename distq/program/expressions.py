"""Symbolic angles as text: OpenQASM 3 expressions of `input float` identifiers, and back to Qiskit's expressions.

Module files hold plain expressions only, which every importer of OpenQASM 3 understands (`is_plain`). Any other becomes
a derived input: the file declares `input float _e<i>;`, and the manifest has its formula.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: What means something else in a module file, in OpenQASM 3, or to the parser of expressions.
_WORDS = """
    OPENQASM include pragma def cal defcal defcalgrammar gate extern box let break continue if else end return for
    while in switch case default nop input output const readonly mutable qreg qubit creg bool bit int uint float angle
    complex array void duration stretch gphase inv pow ctrl negctrl durationof delay reset measure barrier true false
    im pi tau euler π τ ℇ sizeof arccos arcsin arctan asin acos atan ceiling cos exp floor log ln mod popcount real
    imag rotl rotr sin sqrt tan abs sign conj U CX epr sxdg rzz d c m r inf infinity nan
    p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu phase cphase id u1 u2 u3
    and or not is None True False lambda async await from import class elif except finally try raise with as assert
    del global nonlocal pass yield
"""
_RESERVED = frozenset(_WORDS.split())
_GENERATED = re.compile(r"_[pe]\d+|parity\d+")
#: Categories of characters that OpenQASM 3 allows in an identifier beside ASCII letters, digits and `_`.
_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
#: Powers up to this are written as products, which every OpenQASM 3 importer understands.
_LARGEST_PRODUCT = 4
#: Operations inside each other in a plain expression: importers call themselves once or more for each.
_DEEPEST = 30
#: Functions by the names that Qiskit prints, with their OpenQASM 3 names.
_WRITTEN = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
#: What a function in a file does to a ParameterExpression: the name of the method.
_METHODS = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "exp": "exp",
    "log": "log",
    "sign": "sign",
    "abs": "abs",
}
_ON_NUMBERS: dict[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "exp": math.exp,
    "log": math.log,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "abs": abs,
}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
#: What the text of an angle is made of; anything else is refused before Python's parser sees it.
_TOKENS = re.compile(r"(?>\s|[^\W\d]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|[-+*/(),])*+")
#: Names the parameters of loaded programs: two loads of one program have equal parameters.
_NAMESPACE = uuid.UUID("6f5a1c1e-6d0b-5c0e-9f3a-2b7d5b0f8f11")


def parameter_names(expressions: Iterable[Any]) -> tuple[str, ...]:
    """The sorted names of the unbound parameters of these expressions (numbers among them are skipped)."""
    return tuple(sorted({p.name for e in expressions if hasattr(e, "parameters") for p in e.parameters}))


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """The identifier by which each parameter is declared in module files.

    A name that is a valid identifier stays; any other (`v[0]`, `my angle`, a keyword, a register or a gate) becomes
    `_p<i>`, i being its position in `names`, the manifest's list of parameters.
    """
    return {name: name if _usable(name) else f"_p{i}" for i, name in enumerate(names)}


def _usable(name: str) -> bool:
    if name in _RESERVED or _GENERATED.fullmatch(name) or not name.isidentifier():
        return False
    # The digits of other scripts are letters for Python but not for OpenQASM.
    if unicodedata.normalize("NFKC", name) != name:
        return False
    return all((c.isascii() and (c.isalnum() or c == "_")) or unicodedata.category(c) in _LETTERS for c in name)


def derived_identifier(number: int) -> str:
    """The identifier of a derived input by its position in the manifest's list."""
    return f"_e{number}"


def is_plain(text: str) -> bool:
    """Whether a module file may have this expression as an angle.

    Qiskit's importer knows no functions and no powers, and divides integers as integers (so does OpenQASM 3): these
    stand in formulas of derived inputs only, as do expressions that are nested deeply.

    Args:
        text: what `ExpressionWriter` writes or `parse` accepts.
    """
    return _is_plain(ast.parse(text.strip(), mode="eval").body, _DEEPEST)


def _is_plain(node: ast.expr, depth: int) -> bool:
    match node:
        case ast.UnaryOp(operand=operand):
            return depth > 0 and _is_plain(operand, depth - 1)
        case ast.BinOp(left=left, op=op, right=right):
            if depth <= 0 or isinstance(op, ast.Pow) or (_is_integer(left) and _is_integer(right)):
                return False
            return _is_plain(left, depth - 1) and _is_plain(right, depth - 1)
    return isinstance(node, (ast.Constant, ast.Name))


def _is_integer(node: ast.expr) -> bool:
    # An operation on two integers is found where it stands: deeper ones need no look.
    while isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def new_parameter(name: str) -> Any:
    """A Qiskit Parameter whose identity follows from its name alone."""
    from qiskit.circuit import Parameter

    return Parameter(name, uuid=uuid.uuid5(_NAMESPACE, name))


class ExpressionWriter:
    """Writes expressions of parameters with these names; equal expressions give equal text."""

    def __init__(self, names: Iterable[str]) -> None:
        self._ident = identifiers(tuple(names))
        self._inner = {ident: new_parameter(ident) for ident in self._ident.values()}
        self._cache: dict[str, str] = {}

    def identifier(self, name: str) -> str:
        """The identifier of a parameter."""
        return self._ident[name]

    def text(self, expression: Any) -> str:
        """The expression as a module file has it, or if it is not plain a formula of the manifest.

        Reading the text and writing it again gives the same text.

        Raises:
            ValueError: the expression is complex, or has a function that angles in files cannot have.
        """
        key = str(expression)
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = self._fixpoint(expression)
        return found

    def _fixpoint(self, expression: Any) -> str:
        inner = expression.subs({p: self._inner[self._ident[p.name]] for p in expression.parameters})
        text = _rewritten(str(inner))
        # Qiskit orders terms as it prints them: read and print until that changes nothing.
        for _ in range(8):
            again = parse(text, self._inner)
            following = text if isinstance(again, (int, float)) else _rewritten(str(again))
            if following == text:
                break
            text = following
        return text

    def names_in(self, text: str) -> set[str]:
        """The identifiers that a text written by this writer refers to."""
        return {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)} & set(
            self._inner
        )


class _ToQasm(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("conj", "conjugate") and len(node.args) == 1:
            return node.args[0]  # parameters are real
        name = _WRITTEN.get(name, name)
        if name not in _METHODS:
            raise ValueError(f"the function {name or 'of this expression'} has no name in OpenQASM 3")
        return ast.Call(ast.Name(name, ast.Load()), node.args, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        power = _small_integer(node.right) if isinstance(node.op, ast.Pow) else None
        if power is None:
            return node
        product = functools.reduce(lambda a, _: ast.BinOp(a, ast.Mult(), node.left), range(abs(power) - 1), node.left)
        return product if power > 0 else ast.BinOp(ast.Constant(1.0), ast.Div(), product)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise ValueError("an angle must be real")
        # Small whole numbers stay as they are, others are floats: OpenQASM integers have 64 bits at most.
        if isinstance(node.value, int) and node.value < 2**31:
            return node
        value = float(node.value)
        if not math.isfinite(value):
            raise ValueError("an angle must be finite")
        return ast.Constant(value)


def _small_integer(node: ast.expr) -> int | None:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return sign * int(node.value) if node.value in range(1, _LARGEST_PRODUCT + 1) else None
    return None


def _rewritten(text: str) -> str:
    try:
        tree = ast.parse(text, mode="eval").body
        result = ast.unparse(ast.fix_missing_locations(_ToQasm().visit(tree)))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"the expression {text[:80]!r} is too long or of no form that can be written") from error
    if "j" in result and any(isinstance(n, ast.Constant) and isinstance(n.value, complex) for n in ast.walk(tree)):
        raise ValueError("an angle must be real")
    return result


def parse(text: str, parameters: Mapping[str, Any]) -> Any:
    """The number or ParameterExpression that a text in a file stands for.

    Args:
        text: the angle.
        parameters: Parameter objects by identifier.

    Raises:
        ValueError: the text is no expression of numbers, these identifiers, + - * / ** and functions of OpenQASM 3.
    """
    if not _TOKENS.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an arithmetic expression")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        result = _value(tree, parameters)
        if isinstance(result, (int, float)) and not math.isfinite(result):
            raise ValueError(f"{text!r} is not finite")
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"{text!r} is not an arithmetic expression") from error
    return result


def _value(node: ast.expr, parameters: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="pi"):
            return math.pi
        case ast.Name(id=name) if name in parameters:
            return parameters[name]
        case ast.Name(id=name):
            raise ValueError(f"{name!r} is not declared as an input")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, parameters)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _value(left, parameters), _value(right, parameters)
            if isinstance(a, int) and isinstance(b, int):
                a, b = float(a), float(b)
            result = _BINARY[type(op)](a, b)
            if isinstance(result, complex):
                raise ValueError(f"{ast.unparse(node)!r} is not real")
            return result
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            return _value(argument, parameters) ** 0.5
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _METHODS:
            value = _value(argument, parameters)
            return _ON_NUMBERS[name](value) if isinstance(value, (int, float)) else getattr(value, _METHODS[name])()
    raise ValueError(f"{ast.unparse(node)!r} cannot stand in an angle")
