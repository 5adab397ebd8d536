import pickle
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import rustworkx as rx
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.errors import NetworkError
from distq.network import topologies
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import UNLIMITED, Link, Module, Network
from distq.network.pairs import SCHEMES

capacity = st.integers(1, 5)


number = st.floats(0, 1e3) | st.floats(0, 1e-6)
positive = st.floats(1e-9, 1e3)
probability = st.floats(1e-6, 1)


@st.composite
def module_hardware(draw, data, comm):
    """Any hardware of a module of this size."""
    keys = ("one_qubit_time", "two_qubit_time", "measure_time", "reset_time")
    found = {key: draw(st.none() | number) for key in keys}
    found |= {key: draw(st.none() | probability) for key in ("two_qubit_error", "measure_error")}
    found |= {"data_t1": (t1 := draw(st.none() | positive)), "data_t2": None if t1 is None else 2 * t1}
    if comm is not None and draw(st.booleans()):
        places = draw(st.permutations(range(data + comm + 2)))
        found["coupling"] = list(pairwise(places))
        found["data_positions"] = places[:data]
        found["comm_positions"] = places[data : data + comm]
    return ModuleHardware(**found)


@st.composite
def link_hardware(draw, fabrics=(), comm=9):
    """Any hardware of a link whose ends have `comm` communication qubits."""
    source = draw(st.sampled_from([("pair_time",), ("rate",), ("attempt_time", "success_probability"), ()]))
    found = {key: draw(probability if key == "success_probability" else positive) for key in source}
    found["generators"] = draw(st.none() | st.integers(1, 3))
    found["duty_cycle"] = draw(st.none() | probability)
    found["max_age"] = draw(st.none() | positive)
    found["latency"] = draw(st.none() | number)
    found["fabric"] = draw(st.sampled_from([None, *fabrics]))
    if comm >= 2 and draw(st.booleans()):
        found["purify"] = {"rounds": draw(st.integers(1, comm - 1)), "scheme": draw(st.sampled_from(SCHEMES))}
    if draw(st.booleans()):
        found["fidelity"] = draw(st.none() | st.floats(0.25, 1))
    else:
        found["bell"] = draw(st.sampled_from(["phi+", "phi-", "psi+", "psi-"]))
        found["state"] = LinkHardware(fidelity=draw(st.floats(0.5, 1))).pair_state().tolist()
        found["state"] = turned(found["state"], found["bell"])
    return LinkHardware(**found)


def turned(state, bell):
    """A state near phi+ as one near another Bell state."""
    names = {"phi+": np.eye(4), "phi-": np.diag([1, -1, 1, -1]), "psi+": np.eye(4)[[1, 0, 3, 2]]}
    names["psi-"] = names["psi+"] @ names["phi-"]
    return names[bell] @ np.array(state) @ names[bell].T


def least_comm(*modules):
    return min(9 if m.comm is None else m.comm for m in modules)


@st.composite
def networks(draw, max_modules=7):
    """Any network, connected or not."""
    k = draw(st.integers(1, max_modules))
    comm = st.one_of(st.none(), st.integers(0, 3))
    modules = tuple(Module(f"m{i}", draw(capacity), draw(comm)) for i in range(k))
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    flipped = [(j, i) if draw(st.booleans()) else (i, j) for i, j in chosen]
    links = tuple(Link(f"m{i}", f"m{j}") for i, j in flipped)
    if not draw(st.booleans()):
        return Network(modules, links, draw(st.text(max_size=3)))
    fabrics = [Fabric(f"f{i}", i + 1, draw(st.none() | number)) for i in range(draw(st.integers(0, 2)))]
    return Network(modules, links, draw(st.text(max_size=3))).with_hardware(
        [draw(st.none() | module_hardware(m.data, m.comm)) for m in modules],
        [
            draw(st.none() | link_hardware([f.name for f in fabrics], least_comm(modules[i], modules[j])))
            for i, j in chosen
        ],
        fabrics,
    )


def as_graph(network):
    graph = nx.Graph()
    graph.add_nodes_from(range(network.num_modules))
    graph.add_edges_from(network.link_ends.tolist())
    return graph


@settings(max_examples=80, derandomize=True, deadline=None)
@given(networks())
def test_tables_agree_with_networkx(network):
    graph = as_graph(network)
    k = network.num_modules
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    for a in range(k):
        for b in range(k):
            assert network.distances[a, b] == lengths[a].get(b, -1)
            if a == b:
                assert network.next_hop[a, b] == a
            elif network.distances[a, b] < 0:
                assert network.next_hop[a, b] == -1
            else:
                near = [n for n in graph[a] if network.distances[n, b] == network.distances[a, b] - 1]
                assert network.next_hop[a, b] == min(near)
            linked = graph.has_edge(a, b)
            assert (network.link_of[a, b] >= 0) == linked
            if linked:
                assert set(network.link_ends[network.link_of[a, b]].tolist()) == {a, b}
    assert [set(c) for c in network.components] == [set(c) for c in nx.connected_components(graph)]
    assert network.connected == nx.is_connected(graph)
    assert network.total_data == network.data_array.sum()
    for m, free in zip(network.modules, network.comm_array.tolist()):
        ends = [x.hardware.purify for x in network.links if m.name in (x.a, x.b) and x.hardware and x.hardware.purify]
        spare = max((p.rounds if p.scheme == "nested" else 1 for p in ends), default=0)
        assert free == (UNLIMITED if m.comm is None else m.comm - spare)
        assert free >= 1 or not ends


@settings(max_examples=40, derandomize=True, deadline=None)
@given(networks())
def test_equal_by_value_and_through_copies(network):
    again = Network.from_dict(network.to_dict())
    assert again == network
    assert hash(again) == hash(network)
    assert pickle.loads(pickle.dumps(network)) == network
    other = Network((*network.modules, Module("another", 1)), network.links, network.name, fabrics=network.fabrics)
    assert other != network


def test_index_and_unknown_name():
    network = Network.line(3, 2)
    assert [network.index(m.name) for m in network.modules] == [0, 1, 2]
    with pytest.raises(NetworkError, match="no module is called 'x'; the modules are m0, m1, m2"):
        network.index("x")
    with pytest.raises(NetworkError, match="no module"):
        network.index(["m0"])


def test_lists_and_numpy_numbers_are_accepted():
    network = Network([Module("a", np.int64(3), np.int32(1)), Module("b", 2)], [Link("a", "b")])
    assert network == Network((Module("a", 3, 1), Module("b", 2, 2)), (Link("a", "b"),))
    assert type(network.modules[0].data) is int


@pytest.mark.parametrize(
    "name", ["", " ", "a b", 'a"b', "a'b", "a`b", "a\\b", "a\tb", "a\n", "\x00", "a\u200bb", 3, None]
)
def test_bad_names(name):
    with pytest.raises(NetworkError, match="module name"):
        Module(name, 1)


@pytest.mark.parametrize("name", ["m0", "Zürich", "QPU-1.a", "実験", "a/b"])
def test_good_names(name):
    assert Module(name, 1).name == name


@pytest.mark.parametrize(
    ("data", "comm", "key"),
    [
        (0, 1, "data"), (-1, 1, "data"), (True, 1, "data"), (2.0, 1, "data"), ("2", 1, "data"),
        (None, 1, "data"), (2**31, 1, "data"), (np.True_, 1, "data"), ([1], 1, "data"),
        (1, -1, "comm"), (1, False, "comm"), (1, 1.5, "comm"), (1, "unlimited", "comm"),
        (1, UNLIMITED, "comm"),
    ],
)  # fmt: skip
def test_bad_capacities(data, comm, key):
    with pytest.raises(NetworkError, match=f"module 'q': {key} is .* must be an integer of at least"):
        Module("q", data, comm)


@pytest.mark.parametrize(
    ("modules", "links", "message"),
    [
        ((), (), "at least one module"),
        (
            (Module("a", 1), Module("b", 1), Module("a", 2)),
            (),
            r"modules\[0\] and modules\[2\] are both called 'a'",
        ),
        ((Module("a", 1), Module("b", 1)), (Link("a", "a"),), r"links\[0\] joins module 'a' to itself"),
        (
            (Module("a", 1), Module("b", 1)),
            (Link("a", "b"), Link("b", "a")),
            r"links\[0\] and links\[1\] both join 'b' and 'a'",
        ),
        (
            (Module("a", 1), Module("b", 1)),
            (Link("a", "c"),),
            r"links\[0\].b names 'c', which is no module; the modules are a, b",
        ),
        ((Module("a", 1),), (Link(1, "a"),), r"links\[0\].a names 1"),
        (("a",), (), r"modules\[0\] is 'a', but must be a Module"),
        ((Module("a", 1),), (("a", "b"),), r"links\[0\] is .* must be a Link"),
    ],
)
def test_bad_networks(modules, links, message):
    with pytest.raises(NetworkError, match=message):
        Network(modules, links)


def test_texts_must_be_texts():
    with pytest.raises(NetworkError, match="the name of a network must be a text, not 3"):
        Network((Module("a", 1),), name=3)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7, 12])
def test_shapes_against_networkx(k):
    rows, cols = topologies.squarest(k)
    cases = {
        "all-to-all": (Network.all_to_all(k, 2), nx.complete_graph(k)),
        "line": (Network.line(k, 2), nx.path_graph(k)),
        "star": (Network.star(k, 2), nx.star_graph(k - 1)),
        "grid": (Network.grid(rows, cols, 2), nx.grid_2d_graph(rows, cols)),
        "tree": (Network.tree(2, 2, k=k), nx.full_rary_tree(2, k)),
    }
    if k > 2:
        cases["ring"] = (Network.ring(k, 2), nx.cycle_graph(k))
    for name, (network, graph) in cases.items():
        assert network.num_modules == k
        assert nx.is_isomorphic(as_graph(network), graph), name
        assert topologies.by_name(name, k, 2) == network
    assert Network.ring(2, 1).links == (Link("m0", "m1"),)


def test_grid_is_numbered_row_by_row():
    network = Network.grid(2, 3, 1)
    assert network.link_ends.tolist() == [[0, 1], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [4, 5]]
    assert [topologies.squarest(k) for k in (1, 4, 6, 7, 12, 36)] == [
        (1, 1),
        (2, 2),
        (2, 3),
        (1, 7),
        (3, 4),
        (6, 6),
    ]


def test_tree_by_depth():
    assert nx.is_isomorphic(as_graph(Network.tree(3, 1, depth=2)), nx.balanced_tree(3, 2))
    assert Network.tree(2, 1, depth=0).num_modules == 1
    for bad in ({}, {"depth": 1, "k": 3}):
        with pytest.raises(NetworkError, match="either depth"):
            Network.tree(2, 1, **bad)


def test_capacities_for_each_module():
    network = Network.star(3, [5, 2, 1], [None, "unlimited", 0])
    assert [m.data for m in network.modules] == [5, 2, 1]
    assert [m.comm for m in network.modules] == [None, None, 0]
    assert Network.line(2, np.array([1, 2])).data_array.tolist() == [1, 2]
    with pytest.raises(NetworkError, match="data lists 2 numbers for 3 modules"):
        Network.line(3, [1, 2])
    with pytest.raises(NetworkError, match="comm lists 1 numbers for 3 modules"):
        Network.line(3, 1, [1])


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "2"])
def test_bad_counts(k):
    with pytest.raises(NetworkError, match=r"k is .* must be an integer of at least 1"):
        Network.line(k, 1)


def test_too_large():
    with pytest.raises(NetworkError, match="more than 1024 modules"):
        Network.line(5000, 1)
    with pytest.raises(NetworkError, match="more than 1024"):
        Network.tree(10, 1, depth=10**6)


def test_from_networkx():
    graph = nx.MultiDiGraph(name="lab")
    graph.add_node("x", data=4, comm=None)
    graph.add_node(7, name="y", comm="unlimited")
    graph.add_node("z", comm=0)
    graph.add_edges_from([(7, "x"), ("x", 7), (7, "x"), ("z", 7)])
    network = Network.from_networkx(graph, data=3, comm=1)
    assert network.modules == (Module("x", 4, None), Module("y", 3, None), Module("z", 3, 0))
    assert {frozenset((x.a, x.b)) for x in network.links} == {frozenset("xy"), frozenset("yz")}
    assert network.name == "lab"
    with pytest.raises(NetworkError, match="node 'y' has no attribute 'data'"):
        Network.from_networkx(graph)
    with pytest.raises(NetworkError, match="to itself"):
        Network.from_networkx(nx.Graph([(0, 0)]), data=1)


def test_from_rustworkx():
    graph = rx.PyGraph()
    nodes = graph.add_nodes_from([{"name": "x", "data": 4}, "y", Module("z", 1, 0), 17, None])
    graph.remove_node(nodes[3])
    graph.add_edges_from_no_data([(0, 1), (1, 0), (2, 4)])
    network = Network.from_rustworkx(graph, data=2, comm=[1, 2, 3, 4], name="n")
    assert network.modules == (Module("x", 4, 1), Module("y", 2, 2), Module("z", 1, 0), Module("m4", 2, 4))
    assert network.links == (Link("x", "y"), Link("z", "m4"))
    ring = Network.from_rustworkx(rx.generators.cycle_graph(5), data=2)
    assert (ring.distances == Network.ring(5, 2).distances).all()


def test_subnetwork():
    network = Network.ring(4, [1, 2, 3, 4])
    part = network.subnetwork([2, 3])
    assert part.modules == network.modules[2:]
    assert part.links == (Link("m2", "m3"),)
