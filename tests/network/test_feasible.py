from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.errors import InfeasibleError
from distq.network.feasible import alive, check_fits, parts, usable_modules
from distq.network.hardware import LinkHardware
from distq.network.model import Link, Module, Network

from .test_model import networks


def test_whole_network():
    network = Network.grid(2, 2, 3, 1)
    for n in (0, 1, 3, 12):
        check_fits(network, n)
        assert usable_modules(network, n) == [0, 1, 2, 3]
        assert network.fits(n)
    assert not network.fits(13)


def test_too_many_qubits():
    with pytest.raises(InfeasibleError, match=r"needs 7 qubits, but the network has 6 data qubits \{m0: 3, m1: 3\}"):
        check_fits(Network.line(2, 3), 7)
    with pytest.raises(InfeasibleError, match=r"m5: 1, \.\.\."):
        check_fits(Network.line(9, 1), 10)


def islands(*sizes, comm=2):
    """Lines of modules, each with one of the given lists of data qubits, without links between them."""
    modules, links = [], []
    for number, line in enumerate(sizes):
        names = [f"{'abcdef'[number]}{i}" for i in range(len(line))]
        modules += [Module(n, d, comm) for n, d in zip(names, line)]
        links += [Link(x, y) for x, y in pairwise(names)]
    return Network(modules, links)


def test_disconnected_is_refused_only_if_needed():
    network = islands([2, 2], [3, 3, 3], [4])
    assert usable_modules(network, 5) == [2, 3, 4]
    assert usable_modules(network, 9) == [2, 3, 4]
    # One module alone needs no entanglement.
    assert usable_modules(network, 4) == [5]
    with pytest.raises(InfeasibleError) as error:
        check_fits(network, 10)
    assert str(error.value) == (
        "the circuit needs 10 qubits, but the network is not connected, and its largest part has 9 data "
        "qubits: no link joins {b0: 3, b1: 3, b2: 3} and {a0: 2, a1: 2} and {c0: 4}; add a link between them"
    )


def test_equal_parts_take_the_first():
    assert usable_modules(islands([2, 2], [2, 2]), 3) == [0, 1]
    assert usable_modules(islands([2], [2]), 2) == [0]


def test_modules_without_communication_qubits():
    network = Network.line(3, 2, [1, 0, 1])
    assert parts(network) == [[0], [1], [2]]
    assert usable_modules(network, 2) == [0]
    with pytest.raises(InfeasibleError) as error:
        check_fits(network, 3)
    assert str(error.value) == (
        "the circuit needs 3 qubits, but module 'm1' has no communication qubit, and without them at most 2 "
        "data qubits can work together: give each at least one (comm = 1)"
    )
    with pytest.raises(InfeasibleError, match="modules 'm0', 'm1' have no communication qubit"):
        check_fits(Network.line(2, 2, 0), 4)
    # The mute module is at the edge: the others suffice for 4 qubits, not for 5.
    edge = Network.line(3, 2, [1, 1, 0])
    assert usable_modules(edge, 4) == [0, 1]
    with pytest.raises(InfeasibleError, match="module 'm2' has no communication qubit"):
        check_fits(edge, 5)


def test_one_module_needs_no_communication():
    assert usable_modules(Network.all_to_all(1, 5, 0), 5) == [0]
    # A large module without communication qubits serves the circuit better than linked small ones.
    assert usable_modules(Network([Module("big", 6, 0), Module("a", 3), Module("b", 3)], [Link("a", "b")]), 6) == [0]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(networks(), st.integers(0, 30))
def test_answer_is_a_part_with_room_or_there_is_none(network, n):
    candidates = parts(network)
    assert sorted(i for p in candidates for i in p) == list(range(network.num_modules))
    room = {tuple(p): int(network.data_array[p].sum()) for p in candidates}
    try:
        chosen = usable_modules(network, n)
    except InfeasibleError as error:
        chosen, message = None, str(error)
    if chosen is None:
        assert max(room.values()) < n
        assert f"needs {n} qubit" in message
        assert not network.fits(n)
        return
    assert room[tuple(chosen)] >= n
    assert network.fits(n)
    if len(chosen) > 1:
        inner = network.subnetwork(chosen)
        assert inner.connected
        assert (inner.comm_array > 0).all()
        assert inner.data_array.max() >= n or network.data_array.max() < n


def test_dead_links_are_named():
    """A rate of zero on a link that is needed is refused by the link's name; elsewhere the link is left out."""
    network = Network.line(3, 6, link_hardware=[LinkHardware(rate=0), None])
    assert [(x.a, x.b) for x in alive(network, 12).links] == [("m1", "m2")]
    with pytest.raises(InfeasibleError, match=r"needs 13 qubits, .* whose rate is 0 \(m0 - m1\): give them"):
        alive(network, 13)
    # What does not fit anyway is refused later, with its own reason.
    assert len(alive(network, 19).links) == 1
    whole = Network.line(3, 6)
    assert alive(whole, 30) is whole
