import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.errors import NetworkError, UsageError
from distq.network.files import save_network
from distq.network.model import Module, Network
from distq.network.presets import preset, preset_names, resolve
from distq.network.topologies import TOPOLOGIES

#: One for each row of published hardware or units; two where a row gives two links.
NAMES = {
    "oxford-2025", "oxford-2020", "duke-2024", "duke-timebin-2024", "eth-cryolink-2023", "sc-cable-2023",
    "sc-cable-2025", "rigetti-multichip-2021", "ibm-lcoupler", "ibm-cisco-plan", "nv-delft-metro",
    "siv-harvard", "siv-harvard-35km", "simdisq-like", "autocomm-units", "disqco-units", "disqco-units-microwave",
}  # fmt: skip


def test_names():
    assert set(preset_names()) == NAMES
    assert list(preset_names()) == sorted(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_where_it_comes_from(name):
    network = preset(name)
    assert network.name == name
    assert network.connected
    assert network.source
    assert name == "oxford-2025" or "our assumption" in network.description or "our reading" in network.description
    assert network.fits(network.total_data)


def test_oxford():
    network = preset("oxford-2025")
    assert [(m.data, m.comm) for m in network.modules] == [(1, 1), (1, 1)]
    assert len(network.links) == 1


def test_unknown_preset():
    with pytest.raises(
        UsageError, match=r"preset 'oxford-2026' is not known \(did you mean oxford-2025\?\).*sc-cable-2023"
    ):
        preset("oxford-2026")


def test_resolve_network(tmp_path):
    network = Network.ring(5, 2)
    path = tmp_path / "net.toml"
    save_network(network, path)
    assert resolve(network=path) == network
    assert resolve(network=str(path)) == network
    assert resolve(network=network) is network
    assert resolve(network="oxford-2025") == preset("oxford-2025")
    assert resolve(network="oxford-2025", topology="all-to-all") == preset("oxford-2025")


def test_resolve_bad_network(tmp_path):
    with pytest.raises(
        UsageError, match=r"--network 'moon' is not known: give a .toml or .json file, or one of the presets"
    ):
        resolve(network="moon")
    with pytest.raises(NetworkError, match="cannot read"):
        resolve(network=str(tmp_path / "none.toml"))
    (tmp_path / "net.txt").write_text("")
    with pytest.raises(UsageError, match=r"ends in .toml or .json"):
        resolve(network=str(tmp_path / "net.txt"))


@pytest.mark.parametrize("options", [{"modules": 2}, {"data": 3}, {"comm": 1}, {"topology": "ring"}])
def test_network_excludes_the_rest(options):
    option = "--" + next(iter(options))
    with pytest.raises(UsageError, match=f"{option} and --network exclude each other"):
        resolve(network="oxford-2025", **options)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(1, 12), st.integers(0, 60), st.sampled_from(sorted(TOPOLOGIES)))
def test_defaults(k, n, topology):
    network = resolve(modules=k, topology=topology, num_qubits=n)
    assert network.num_modules == k
    assert {m.data for m in network.modules} == {max(1, -(-n // k))}
    assert {m.comm for m in network.modules} == {2}
    assert network.connected
    assert network.fits(n)


def test_resolve_shapes():
    assert resolve(modules=4, data=8) == Network.all_to_all(4, 8, 2)
    assert resolve(modules="6", data="3", comm="1", topology="grid") == Network.grid(2, 3, 3, 1)
    assert resolve(modules=3, data=3, comm="unlimited", topology="line") == Network.line(3, 3, None)
    assert resolve(modules=2, data="3, 4", comm="unlimited,0").modules == (
        Module("m0", 3, None),
        Module("m1", 4, 0),
    )
    assert resolve(modules=2, data=[3, 4], comm=[1, None]).modules == (
        Module("m0", 3, 1),
        Module("m1", 4, None),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no network is given"),
        ({"modules": 0, "data": 1}, "--modules is 0, but must be an integer of at least 1"),
        ({"modules": "two", "data": 1}, "--modules is 'two'"),
        ({"modules": 2.0, "data": 1}, "--modules is 2.0"),
        ({"modules": True, "data": 1}, "--modules is True"),
        ({"modules": 10**6, "data": 1}, "--modules is 1000000: give at most 1024"),
        ({"modules": 2}, "--data is missing"),
        ({"modules": 2, "data": 0}, "--data is 0, but must be an integer of at least 1"),
        ({"modules": 2, "data": "x"}, "--data is 'x'"),
        ({"modules": 2, "data": "1,2,3"}, "--data lists 3 numbers for 2 modules"),
        ({"modules": 2, "data": "unlimited"}, "--data is 'unlimited'"),
        (
            {"modules": 2, "data": 1, "comm": -1},
            "--comm is -1, but must be an integer of at least 0, or unlimited",
        ),
        ({"modules": 2, "data": 1, "comm": "lots"}, "--comm is 'lots'.*unlimited"),
        (
            {"modules": 2, "data": 1, "topology": "gird"},
            r"--topology 'gird' is not known \(did you mean grid\?\): give one of",
        ),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UsageError, match=message):
        resolve(**options)
