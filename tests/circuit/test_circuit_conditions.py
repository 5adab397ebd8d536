"""Decision diagrams and decision lists against truth tables."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.circuit.conditions import Diagrams, TooComplexError, assign, evaluate, simplify

BITS = 4
TREES = st.recursive(
    st.integers(0, BITS - 1),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or", "xor"]), inner, inner)
    ),
    max_leaves=12,
)


def build(diagrams, tree):
    if isinstance(tree, int):
        return diagrams.bit(tree)
    values = [build(diagrams, t) for t in tree[1:]]
    name = {"not": "neg", "and": "conj", "or": "disj", "xor": "xor"}[tree[0]]
    return getattr(diagrams, name)(*values)


def truth(tree, bits):
    if isinstance(tree, int):
        return bits[tree]
    values = [truth(t, bits) for t in tree[1:]]
    if tree[0] == "not":
        return 1 - values[0]
    return {"and": values[0] & values[-1], "or": values[0] | values[-1], "xor": values[0] ^ values[-1]}[tree[0]]


def holds(conjunction, bits):
    return all(bits[b] == v for b, v in conjunction)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TREES, st.dictionaries(st.integers(0, BITS - 1), st.integers(0, 1), max_size=2))
def test_conjunctions_are_disjoint_and_complete(tree, known):
    diagrams = Diagrams()
    function = diagrams.under(build(diagrams, tree), tuple(known.items()))
    conjunctions = diagrams.conjunctions(function)
    for bits in product((0, 1), repeat=BITS):
        if not holds(known.items(), bits):
            continue
        assert sum(holds(c, bits) for c in conjunctions) == truth(tree, bits)
    assert all(b not in known for c in conjunctions for b, _ in c)


def test_equality_is_one_path():
    diagrams = Diagrams()
    function = diagrams.of_conjunction(tuple((k, k % 2) for k in range(500)))
    assert diagrams.conjunctions(function) == [tuple((k, k % 2) for k in range(500))]
    assert len(diagrams.conjunctions(diagrams.neg(function))) == 500


def test_parity_of_many_bits_is_refused():
    diagrams = Diagrams()
    function = 0
    for k in range(13):
        function = diagrams.xor(function, diagrams.bit(k))
    with pytest.raises(TooComplexError):
        diagrams.conjunctions(function)


GUARDS = st.dictionaries(st.integers(0, 2), st.integers(0, 1), max_size=3).map(lambda d: tuple(sorted(d.items())))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(GUARDS, max_size=6))
def test_decision_lists_follow_the_last_write(guards):
    entries = (((), -1),)
    for k, guard in enumerate(guards):
        entries = assign(entries, guard, 3 + k)
    assert entries[-1][0] == ()
    diagrams = Diagrams()
    function = diagrams.of_decision_list(entries)
    for bits in product((0, 1), repeat=3):
        # Version 3 + k holds 1 in this trial iff k is even; a write that is not carried out leaves 0.
        versions = list(bits) + [int(k % 2 == 0 and holds(g, bits)) for k, g in enumerate(guards)]
        wanted = 0
        for k, guard in enumerate(guards):
            if holds(guard, bits):
                wanted = versions[3 + k]
        assert evaluate(entries, versions) == wanted
        full = diagrams.under(function, tuple(enumerate(versions)))
        assert full == wanted


def test_if_and_else_leave_no_third_case():
    entries = assign(assign((((), -1),), ((0, 1),), 1), ((0, 0),), 2)
    assert entries == ((((0, 0),), 2), ((), 1))
    assert simplify((((), 4), (((0, 1),), 5))) == (((), 4),)
