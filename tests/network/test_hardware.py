import math
import re
import tomllib
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import rustworkx as rx
from hypothesis import given, settings

from distq.errors import NetworkError
from distq.network.hardware import BELL, Fabric, LinkHardware, ModuleHardware
from distq.network.model import Link, Module, Network
from distq.network.presets import preset, preset_names

from .test_model import link_hardware

WERNER = np.array([[2, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 2]]) / 6


def test_defaults():
    assert ModuleHardware().to_dict() == {}
    assert LinkHardware().to_dict() == {}
    link = LinkHardware()
    assert (link.mean_pair_time, link.pair_fidelity, link.timed) == (0.0, 1.0, False)
    assert not Network.line(2, 1).timed
    assert not Network.line(2, 1, link_hardware=LinkHardware(fidelity=0.9)).timed
    assert Network.line(2, 1, link_hardware=LinkHardware(latency=0)).timed
    assert Network.line(2, 1, hardware=ModuleHardware(reset_time=1)).timed
    # Memories and errors are no times of operations.
    assert not Network.line(2, 1, hardware=ModuleHardware(data_t1=1, two_qubit_error=0.1)).timed


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ({"pair_time": 3}, 3),
        ({"pair_time": 3, "duty_cycle": 0.5}, 6),
        ({"rate": 4}, 0.25),
        ({"rate": 4, "duty_cycle": 0.1}, 2.5),
        ({"rate": 4, "attempt_time": 0.1}, 0.25),
        ({"rate": 0}, math.inf),
        ({"attempt_time": 2, "success_probability": 0.25}, 8),
        # The Oxford experiment's attempts and bursts, recalled: consistent with 9.7 pairs a second.
        ({"attempt_time": 1168e-9, "success_probability": 1 / 7084, "duty_cycle": 200e-6 / 2450e-6}, 0.10136),
    ],
)
def test_mean_pair_time(values, mean):
    assert LinkHardware(**values).mean_pair_time == pytest.approx(mean, rel=1e-4)


def test_attempt_probability():
    assert LinkHardware(attempt_time=0.1, rate=4).attempt_probability == pytest.approx(0.4)
    assert LinkHardware(attempt_time=0.1, success_probability=0.5).attempt_probability == 0.5
    assert LinkHardware(rate=4).attempt_probability is None


def test_werner_state():
    assert np.allclose(LinkHardware(fidelity=0.5).pair_state(), WERNER)
    assert LinkHardware(fidelity=0.5).pair_fidelity == 0.5


@settings(max_examples=40, derandomize=True, deadline=None)
@given(link_hardware())
def test_pair_state_is_near_phi_plus(link):
    state = link.pair_state()
    phi = np.array(BELL["phi+"]) / math.sqrt(2)
    assert phi @ state @ phi == pytest.approx(link.pair_fidelity)
    assert np.trace(state) == pytest.approx(1)
    assert link == LinkHardware(**link.to_dict())
    assert hash(link) == hash(LinkHardware(**link.to_dict()))


def test_first_qubit_of_a_state_is_that_of_the_first_module():
    # Only the second qubit is turned: amplitude damping of the first must stay where it is.
    state = np.diag([0.1, 0.5, 0.4, 0]).astype(complex)
    state[1, 2] = state[2, 1] = 0.4
    found = LinkHardware(state=state.tolist(), bell="psi+").pair_state()
    assert np.allclose(np.diag(found), [0.5, 0.1, 0, 0.4])
    assert found[0, 3] == found[3, 0] == 0.4


def test_with_hardware():
    fast, slow = ModuleHardware(reset_time=1), ModuleHardware(reset_time=2)
    network = Network.line(3, 1, hardware=fast)
    assert [m.hardware for m in network.modules] == [fast] * 3
    assert [m.hardware for m in network.with_hardware({"m1": slow}).modules] == [fast, slow, fast]
    assert [m.hardware for m in network.with_hardware([slow, None, fast]).modules] == [slow, None, fast]
    link = LinkHardware(rate=3)
    found = network.with_hardware(links={("m2", "m1"): link})
    assert [x.hardware for x in found.links] == [None, link]
    assert found.modules == network.modules
    with pytest.raises(NetworkError, match="hardware is given for 'm7'"):
        network.with_hardware({"m7": slow})
    with pytest.raises(NetworkError, match=r"given for 'm0 - m2', which is not among the links"):
        network.with_hardware(links={("m2", "m0"): link})
    with pytest.raises(NetworkError, match="lists 2 entries for 3 modules"):
        network.with_hardware([slow, fast])
    with pytest.raises(NetworkError, match="must be a ModuleHardware"):
        network.with_hardware(link)
    with pytest.raises(NetworkError, match="must be a LinkHardware"):
        Link("a", "b", slow)
    with pytest.raises(NetworkError, match="must be a Fabric"):
        Network.line(2, 1, fabrics=["f"])


def test_every_shape_takes_hardware():
    module, link = ModuleHardware(reset_time=1), LinkHardware(fabric="f")
    options = {"hardware": module, "link_hardware": link, "fabrics": [Fabric("f")]}
    for network in (
        Network.all_to_all(3, 1, **options),
        Network.line(3, 1, **options),
        Network.ring(3, 1, **options),
        Network.star(3, 1, **options),
        Network.grid(2, 2, 1, **options),
        Network.tree(2, 1, depth=1, **options),
    ):
        assert {m.hardware for m in network.modules} == {module}
        assert {x.hardware for x in network.links} == {link}
        assert network.subnetwork([0]).fabrics == (Fabric("f"),)


def test_graphs_keep_hardware():
    hardware = ModuleHardware(reset_time=1)
    graph = nx.Graph()
    graph.add_node("a", data=1, hardware=hardware)
    assert Network.from_networkx(graph).modules == (Module("a", 1, 2, hardware),)
    other = rx.PyGraph()
    other.add_node(Module("a", 1, 2, hardware))
    assert Network.from_rustworkx(other).modules == (Module("a", 1, 2, hardware),)


def test_dead_links():
    network = Network.ring(3, 1)
    assert network.without_dead_links() is network
    dead = network.with_hardware(links={("m0", "m1"): LinkHardware(rate=0)})
    assert [(x.a, x.b) for x in dead.without_dead_links().links] == [(x.a, x.b) for x in network.links[1:]]


def test_places():
    line = tuple((i, i + 1) for i in range(4))
    assert ModuleHardware(coupling=line).places(3, 2) == ((0, 1, 2), (3, 4))
    with_ends = ModuleHardware(coupling=line, data_positions=[1, 2, 3], comm_positions=[0, 4])
    assert with_ends.places(3, 2) == ((1, 2, 3), (0, 4))
    assert Module("A", 3, 2, with_ends).hardware == with_ends
    with pytest.raises(NetworkError, match="module 'A': comm_positions has 2 entries for 1 communication qubits"):
        Module("A", 3, 1, with_ends)
    with pytest.raises(NetworkError, match="there is no coupling map"):
        ModuleHardware().places(1, 1)
    for bad in ({"data_positions": "01"}, {"data_positions": 3}, {"coupling": "01"}, {"coupling": ["01"]}):
        with pytest.raises(NetworkError, match="must be a list"):
            ModuleHardware(**{"coupling": line, **bad})


@pytest.mark.parametrize("value", [[[math.nan] * 4] * 4, "abcd", [[1j, 2], [3]], [["1"] * 4] * 4, [[True] * 4] * 4])
def test_no_state(value):
    with pytest.raises(NetworkError, match="state"):
        LinkHardware(state=value)


@pytest.mark.parametrize("bad", [{"name": ""}, {"name": 3}, {"ports": True}, {"reconfiguration_time": -1}])
def test_bad_fabric(bad):
    with pytest.raises(NetworkError):
        Fabric(**{"name": "f", **bad})


#: Figures of science.md, section 4: preset -> (mean pair time [s], fidelity).
FIGURES = {
    "oxford-2025": (1 / 9.7, 0.9695), "oxford-2020": (1 / 182, 0.94), "duke-2024": (1 / 250, 0.94),
    "duke-timebin-2024": (0, 0.97), "eth-cryolink-2023": (80e-6, 0.804), "sc-cable-2023": (0, 0.99),
    "sc-cable-2025": (100e-9, 0.99), "rigetti-multichip-2021": (60e-9, 0.983), "nv-delft-metro": (1 / 0.022, 0.534),
    "siv-harvard": (1, 0.86), "siv-harvard-35km": (1, 0.69), "disqco-units-microwave": (20e-6, 1),
    "simdisq-like": (2e-3, 1), "autocomm-units": (12e-6, 1), "disqco-units": (500e-6, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", preset_names())
def test_preset_figures(name):
    network = preset(name)
    found = {x.hardware for x in network.links}
    if name not in FIGURES:
        assert found == {None}
        assert {m.hardware for m in network.modules} == {None}
        return
    (link,) = found
    time, fidelity = FIGURES[name]
    assert link.mean_pair_time == pytest.approx(time)
    assert link.pair_fidelity == pytest.approx(fidelity, abs=2e-4)


def test_oxford_figures():
    network = preset("oxford-2025")
    (module,) = {m.hardware for m in network.modules}
    # 1 - F_average of a depolarising channel of probability p is 3p/4; p = 0.0876 reproduces the teleported CZ.
    assert module.two_qubit_error == pytest.approx(0.75 * 0.0876, abs=1e-4)
    assert module.data_t2 == 10
    published = np.array([[0.012, 0.014, 0.014, 0], [0.014, 0.508, 0.475, 0.008], [0.014, 0.475, 0.479, 0.009],
                          [0, 0.008, 0.009, 0]])  # fmt: skip
    (link,) = {x.hardware for x in network.links}
    assert np.abs(np.abs(np.array(link.state)) - published).max() < 6e-4


def test_documented_files():
    page = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text("utf-8")
    whole, part = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    network = Network.from_dict(tomllib.loads(whole))
    assert {x.hardware.attempt_probability for x in network.links} == {0.001}
    found = Network.from_dict(tomllib.loads(part + '[[modules]]\nname = "B"\ndata = 1\n'))
    assert found.modules[0].hardware.places(3, 2) == ((1, 2, 3), (0, 4))
