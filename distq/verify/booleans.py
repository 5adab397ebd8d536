"""Boolean functions of measured bits in a canonical form, so that conditions can be compared exactly.

Reduced ordered binary decision diagrams: equal functions are equal numbers.

References:
    R. E. Bryant, Graph-based algorithms for Boolean function manipulation, IEEE Trans. Comput. C-35, 677 (1986),
    doi:10.1109/TC.1986.1676819.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FALSE, TRUE = 0, 1
#: Sorts after every variable.
_END = 2**62


class Booleans:
    """A store of Boolean functions of variables 0, 1, 2, ...; a function is its number in the store."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, int, int]] = [(_END, 0, 0), (_END, 1, 1)]
        self._unique: dict[tuple[int, int, int], int] = {}
        self._memo: dict[tuple[int, int, int], int] = {}

    def _node(self, var: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (var, low, high)
        found = self._unique.get(key)
        if found is None:
            found = self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return found

    def var(self, index: int) -> int:
        """The function that is variable `index`."""
        return self._node(index, FALSE, TRUE)

    def ite(self, test: int, then: int, other: int) -> int:
        """`then` where `test` holds, `other` elsewhere."""
        if test == TRUE or then == other:
            return then
        if test == FALSE:
            return other
        if then == TRUE and other == FALSE:
            return test
        key = (test, then, other)
        found = self._memo.get(key)
        if found is None:
            nodes = self._nodes
            var = min(nodes[test][0], nodes[then][0], nodes[other][0])
            low = self.ite(*(nodes[f][1] if nodes[f][0] == var else f for f in key))
            high = self.ite(*(nodes[f][2] if nodes[f][0] == var else f for f in key))
            found = self._memo[key] = self._node(var, low, high)
        return found

    def negate(self, f: int) -> int:
        """Not f."""
        return self.ite(f, FALSE, TRUE)

    def conj(self, f: int, g: int) -> int:
        """F and g."""
        return self.ite(f, g, FALSE)

    def disj(self, f: int, g: int) -> int:
        """F or g."""
        return self.ite(f, TRUE, g)

    def xor(self, f: int, g: int) -> int:
        """F xor g."""
        return self.ite(f, self.negate(g), g)

    def substitute(self, f: int, functions: Mapping[int, int]) -> int:
        """The function f of these functions in the place of some variables."""
        memo: dict[int, int] = {}

        def walk(g: int) -> int:
            if g <= TRUE:
                return g
            found = memo.get(g)
            if found is None:
                var, low, high = self._nodes[g]
                test = functions.get(var)
                found = memo[g] = self.ite(self.var(var) if test is None else test, walk(high), walk(low))
            return found

        return walk(f)

    def all_of(self, functions: Iterable[int]) -> int:
        """The conjunction of all."""
        result = TRUE
        # Large variables first: every step then adds one node on top.
        for f in sorted(functions, key=lambda f: -self._nodes[f][0]):
            result = self.conj(f, result)
        return result

    def support(self, functions: Iterable[int]) -> list[int]:
        """The variables that the functions depend on, in order."""
        stack, seen, found = list(functions), set(), set()
        while stack:
            f = stack.pop()
            if f > TRUE and f not in seen:
                seen.add(f)
                var, low, high = self._nodes[f]
                found.add(var)
                stack += (low, high)
        return sorted(found)

    def value(self, f: int, assignment: Mapping[int, int]) -> bool:
        """The value of f; variables that `assignment` leaves out are 0."""
        while f > TRUE:
            var, low, high = self._nodes[f]
            f = high if assignment.get(var, 0) else low
        return f == TRUE

    def witness(self, f: int) -> dict[int, int]:
        """Values of some variables for which f holds; f must not be FALSE."""
        found: dict[int, int] = {}
        while f > TRUE:
            var, low, high = self._nodes[f]
            found[var] = 0 if low != FALSE else 1
            f = low if low != FALSE else high
        return found
