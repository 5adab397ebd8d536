import copy
import json
import os
import stat
import tomllib

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.errors import NetworkError
from distq.network.files import load_network, network_schema, parse_network, save_network
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import Link, Module, Network
from distq.network.presets import preset, preset_names
from distq.network.purify import Purify

from .test_model import networks

VALIDATOR = jsonschema.Draft202012Validator(network_schema())

PAIR = {
    "name": "pair",
    "modules": [{"name": "A", "data": 4, "comm": 2}, {"name": "B", "data": 3, "comm": "unlimited"}],
    "links": [{"a": "A", "b": "B"}],
}
#: Content, and the network that it describes.
GOOD = [
    (PAIR, Network((Module("A", 4), Module("B", 3, None)), (Link("A", "B"),), "pair")),
    ({"modules": [{"name": "A", "data": 4}]}, Network((Module("A", 4, 2),))),
    ({"modules": [{"name": "A", "data": 4, "comm": 0}], "links": []}, Network((Module("A", 4, 0),))),
    ({"topology": "all-to-all", "modules": 3, "data": 2}, Network.all_to_all(3, 2)),
    (
        {"topology": "line", "modules": 3, "data": [2, 3, 4], "comm": [1, "unlimited", 0]},
        Network.line(3, [2, 3, 4], [1, None, 0]),
    ),
    ({"topology": "ring", "modules": 4.0, "data": 2.0, "comm": "unlimited"}, Network.ring(4, 2, None)),
    ({"topology": "star", "modules": 4, "data": 2}, Network.star(4, 2)),
    (
        {"topology": "line", "modules": 2, "data": 2, "link_hardware": {"purify": {"rounds": 1.0}}},
        Network.line(2, 2, link_hardware=LinkHardware(purify=Purify(1, "dejmps", "pumping"))),
    ),
    ({"topology": "grid", "rows": 2, "cols": 3, "data": 8, "comm": 1}, Network.grid(2, 3, 8, 1)),
    ({"topology": "grid", "rows": 1, "cols": 6, "modules": 6, "data": 8}, Network.grid(1, 6, 8)),
    ({"topology": "grid", "modules": 6, "data": 8}, Network.grid(2, 3, 8)),
    ({"topology": "tree", "modules": 5, "data": 8}, Network.tree(2, 8, k=5)),
    ({"topology": "tree", "depth": 2, "branching": 3, "data": 8}, Network.tree(3, 8, depth=2)),
    (
        {"topology": "ring", "name": "abc", "modules": [{"name": n, "data": 1, "comm": 1} for n in "abc"]},
        Network([Module(n, 1, 1) for n in "abc"], [Link("a", "b"), Link("b", "c"), Link("a", "c")], "abc"),
    ),
    (
        {"topology": "tree", "depth": 1, "modules": [{"name": n, "data": 1} for n in "abc"]},
        Network([Module(n, 1) for n in "abc"], [Link("a", "b"), Link("a", "c")], "tree-2-3"),
    ),
    (
        {
            "modules": [
                {"name": "A", "data": 2, "comm": 1, "hardware": {"coupling": [[0, 1], [1, 2.0]], "data_t1": 1}},
                {"name": "B", "data": 1},
            ],
            "links": [
                {"a": "A", "b": "B",
                 "hardware": {"state": [[0.5, 0, 0, [0.5, 0]], *[[0] * 4] * 2, [0.5, 0, 0, 0.5]]}},
            ],
            "hardware": {"measure_time": 1e-3},
            "link_hardware": {"rate": 3},
        },
        Network(
            (
                Module("A", 2, 1, ModuleHardware(coupling=((0, 1), (1, 2)), data_t1=1.0)),
                Module("B", 1, 2, ModuleHardware(measure_time=1e-3)),
            ),
            (Link("A", "B", LinkHardware(state=((0.5, 0, 0, 0.5), (0,) * 4, (0,) * 4, (0.5, 0, 0, 0.5)))),),
        ),
    ),
    (
        {
            "topology": "ring", "modules": 3, "data": 1,
            "hardware": {"reset_time": 0},
            "link_hardware": {"rate": 5, "attempt_time": 0.1, "generators": 2.0, "fabric": "f"},
            "fabrics": [{"name": "f", "ports": 3, "reconfiguration_time": 2}],
        },
        Network.ring(
            3, 1,
            hardware=ModuleHardware(reset_time=0.0),
            link_hardware=LinkHardware(rate=5.0, attempt_time=0.1, generators=2, fabric="f"),
            fabrics=[Fabric("f", 3, 2.0)],
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "network"), GOOD)
def test_good_files(content, network, tmp_path):
    VALIDATOR.validate(content)
    path = tmp_path / "net.json"
    path.write_text(json.dumps(content))
    assert load_network(path) == network
    assert Network.from_dict(content) == network
    VALIDATOR.validate(network.to_dict())


def changed(path, value, base=PAIR):
    """A copy of `base` with one entry replaced, or removed if the value is `...`."""
    content = copy.deepcopy(base)
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


GRID = {"topology": "grid", "rows": 2, "cols": 2, "data": 3, "comm": 1}
LISTED = {"topology": "line", "modules": [{"name": "a", "data": 1}, {"name": "b", "data": 1}]}
#: What both the schema and the reader refuse, with what the reader says.
BAD = [
    ([], "the network is .* must be a table"),
    ({}, "modules is missing"),
    (changed(["modules"], []), "at least one module"),
    (changed(["modules"], "A"), "modules is missing or no list"),
    (changed(["modules"], 3), "modules is missing or no list"),
    (changed(["modules", 0], "A"), r"modules\[0\] is 'A'"),
    (changed(["modules", 1, "name"], ...), r"modules\[1\].name is missing"),
    (changed(["modules", 1, "data"], ...), r"modules\[1\].data is missing"),
    (changed(["modules", 1, "name"], 5), r"modules\[1\].name is 5, but must be a text"),
    (changed(["modules", 1, "name"], "B C"), r"modules\[1\]: module name 'B C'"),
    (changed(["modules", 1, "name"], ""), r"modules\[1\]: module name ''"),
    (changed(["modules", 1, "data"], 0), r"data \(module 'B'\) is 0, but must be an integer of at least 1"),
    (changed(["modules", 1, "data"], -4), r"modules\[1\].data \(module 'B'\) is -4"),
    (changed(["modules", 1, "data"], 2.5), r"modules\[1\].data \(module 'B'\) is 2.5"),
    (changed(["modules", 1, "data"], True), r"modules\[1\].data \(module 'B'\) is True"),
    (changed(["modules", 1, "data"], "3"), r"modules\[1\].data \(module 'B'\) is '3'"),
    (changed(["modules", 1, "data"], 2**30), r"modules\[1\]: module 'B': data is 1073741824"),
    (changed(["modules", 1, "comm"], -1), r"modules\[1\].comm \(module 'B'\) is -1.* or \"unlimited\""),
    (changed(["modules", 1, "comm"], None), r"modules\[1\].comm \(module 'B'\) is None"),
    (changed(["modules", 1, "comm"], "many"), r"modules\[1\].comm \(module 'B'\) is 'many'"),
    (changed(["modules", 1, "comm"], 2**31), "comm is 2147483648"),
    (changed(["modules", 1, "qubits"], 2), r"unknown key 'qubits': the keys are name, data, comm"),
    (changed(["modules", 1, "com"], 2), r"unknown key 'com' \(did you mean comm\?\)"),
    (changed(["links"], {"a": "A", "b": "B"}), "links is .* must be a list"),
    (changed(["links", 0], "AB"), r"links\[0\] is 'AB'"),
    (changed(["links", 0, "a"], ...), r"links\[0\].a is missing"),
    (changed(["links", 0, "a"], 0), r"links\[0\].a is 0, but must be a text"),
    (changed(["links", 0, "rate"], 0), r"links\[0\] has the unknown key 'rate': the keys are a, b"),
    (changed(["name"], 1), "name is 1, but must be a text"),
    (changed(["source"], None), "source is None, but must be a text"),
    (changed(["linkz"], []), r"the network has the unknown key 'linkz' \(did you mean links\?\)"),
    (changed(["rows"], 2), "rows belongs to a topology"),
    (changed(["data"], 2), "data belongs to a topology"),
    (changed(["topology"], "mesh", GRID), 'topology is \'mesh\', but must be one of "all-to-all", "line"'),
    (changed(["topology"], 1, GRID), "topology is 1"),
    (changed(["topology"], "ring", GRID), "rows belongs to topology = 'grid', not to 'ring'"),
    (changed(["links"], [], GRID), "links and topology exclude each other"),
    (changed(["data"], ..., GRID), "data is missing"),
    (changed(["data"], 0, GRID), "data is 0"),
    (changed(["data"], [3, 3, 0, 3], GRID), r"data\[2\] is 0"),
    (changed(["comm"], [1, 1, 1, "x"], GRID), r"comm\[3\] is 'x'"),
    (changed(["rows"], ..., GRID), "both rows and cols"),
    (changed(["rows"], 0, GRID), "rows is 0"),
    (changed(["rows"], 5000, GRID), "more than 1024"),
    (changed(["depth"], 2, GRID), "depth belongs to topology = 'tree'"),
    ({"topology": "grid", "data": 3}, "the size of the grid is missing: give rows and cols, or modules"),
    ({"topology": "tree", "data": 3}, "the size of the tree is missing: give depth or modules"),
    ({"topology": "tree", "data": 3, "depth": 2, "modules": 7}, "depth and modules exclude each other"),
    ({"topology": "tree", "data": 3, "depth": -1}, "depth is -1"),
    ({"topology": "tree", "data": 3, "depth": 1, "branching": 0}, "branching is 0"),
    ({"topology": "line", "data": 3}, "the size of the line is missing: give modules"),
    ({"topology": "line", "data": 3, "modules": 0}, "modules is 0"),
    ({"topology": "line", "data": 3, "modules": 5000}, "more than 1024"),
    (changed(["data"], 2, LISTED), "data belongs in each of the modules"),
    (changed(["comm"], 2, LISTED), "comm belongs in each of the modules"),
    (changed(["modules", 0, "data"], 0, LISTED), r"modules\[0\].data"),
]  # fmt: skip


def with_module(**hardware):
    return changed(["modules", 0, "hardware"], hardware)


def with_link(**hardware):
    return changed(["links", 0, "hardware"], hardware)


MIXED = [[0.25 * (i == j) for j in range(4)] for i in range(4)]
BAD += [
    (
        with_module(one_qubit_time=-1e-6),
        r"modules\[0\].hardware \(module 'A'\): one_qubit_time is -1e-06, but must be a",
    ),
    (with_module(reset_error=1.5), "reset_error is 1.5, but must be .* at most 1"),
    (with_module(data_t2=0), "data_t2 is 0.0, but must be a number above 0"),
    (with_module(comm_t1="long"), "comm_t1 is 'long'"),
    (with_module(measure_time=True), "measure_time is True"),
    (with_module(measure_time=None), "measure_time is null"),
    (with_module(measuretime=1), r"unknown key 'measuretime' \(did you mean measure_time\?\)"),
    (with_module(coupling=[]), r"coupling is \[\]"),
    (with_module(coupling=[[0, 1, 2]]), r"coupling has the entry \[0, 1, 2\]"),
    (with_module(coupling=[[0, -1]]), "coupling names position -1"),
    (with_module(coupling=[[0, 1.5]]), "coupling names position 1.5"),
    (with_module(data_positions=[0, 1]), "data_positions are given without a coupling map"),
    (with_module(coupling=[[0, 1]], comm_positions=[True]), "comm_positions names position True"),
    (with_link(fidelity=0.2), r"links\[0\].hardware \(A - B\): fidelity is 0.2, but must be .* 0.25, at most 1"),
    (with_link(fidelity=1.01), "fidelity is 1.01"),
    (with_link(rate=-1), "rate is -1.0"),
    (with_link(purify=2), "hardware .A - B.: purify is 2, but must be a table with keys from rounds, protocol, scheme"),
    (with_link(purify={"protocol": "dejmps"}), "purify.rounds is missing"),
    (with_link(purify={"rounds": 0}), "purify.rounds is 0, but must be an integer from 1 to 10"),
    (with_link(purify={"rounds": 11}), "purify.rounds is 11"),
    (with_link(purify={"rounds": 1.5}), "purify.rounds is 1.5"),
    (with_link(purify={"rounds": True}), "purify.rounds is True"),
    (with_link(purify={"rounds": 1, "protocol": "bbps"}), "purify.protocol is 'bbps', but must be one of"),
    (with_link(purify={"rounds": 1, "scheme": 3}), "purify.scheme is 3, but must be one of pumping, nested"),
    (with_link(purify={"rounds": 1, "round": 2}), "purify has the unknown key 'round': the keys are rounds, protocol"),
    (with_link(attempt_time=1e-6, success_probability=0), "success_probability is 0.0, but must be a number above 0"),
    (with_link(attempt_time=1e-6, success_probability=1.1), "success_probability is 1.1"),
    (with_link(attempt_time=0, success_probability=1), "attempt_time is 0.0"),
    (with_link(attempt_time=1e-6), "attempt_time needs success_probability or rate"),
    (with_link(success_probability=0.5), "success_probability needs attempt_time"),
    (with_link(attempt_time=1, success_probability=0.5, rate=1), "success_probability and rate exclude each other"),
    (with_link(pair_time=1, rate=1), "pair_time and rate exclude each other"),
    (with_link(pair_time=1, attempt_time=1), "pair_time and attempt_time exclude each other"),
    (with_link(duty_cycle=0), "duty_cycle is 0.0"),
    (with_link(duty_cycle=1.2), "duty_cycle is 1.2"),
    (with_link(max_age=0), "max_age is 0.0"),
    (with_link(latency=-1), "latency is -1.0"),
    (with_link(generators=0), "generators is 0, but must be an integer of at least 1"),
    (with_link(generators=1.5), "generators is 1.5"),
    (with_link(fabric=""), "fabric is ''"),
    (with_link(bell="psi+"), "bell belongs to a state"),
    (with_link(bell="psi", state=MIXED), "bell is 'psi', but must be one of"),
    (with_link(state=MIXED, fidelity=1), "fidelity and state exclude each other"),
    (with_link(state=MIXED[:3]), "state must be four rows"),
    (with_link(state=[[0, 0, 0, [1, 2, 3]], *MIXED[1:]]), "state must be four rows"),
    (with_link(rates=1), r"unknown key 'rates' \(did you mean rate\?\)"),
    (changed(["fabrics"], {"name": "f"}), "fabrics is .* must be a list"),
    (changed(["fabrics"], [{"ports": 1}]), r"fabrics\[0\].name is missing"),
    (changed(["fabrics"], [{"name": "f", "ports": 0}]), "ports is 0"),
    (changed(["hardware"], {"data_t1": -1}), "hardware: data_t1 is -1"),
    (changed(["link_hardware"], 3, GRID), "link_hardware is 3, but must be a table"),
]
#: What only the reader can refuse (see `network_schema`).
BAD_BEYOND_SCHEMA = [
    (changed(["modules", 1, "name"], "A"), r"modules\[0\] and modules\[1\] are both called 'A'"),
    (changed(["modules", 1, "name"], "B\u200b"), "printable"),
    (changed(["links", 0, "b"], "C"), r"links\[0\].b names 'C', which is no module; the modules are A, B"),
    (changed(["links", 0, "b"], "A"), r"links\[0\] joins module 'A' to itself"),
    (
        changed(["links"], [{"a": "A", "b": "B"}, {"a": "B", "b": "A"}]),
        r"links\[0\] and links\[1\] both join",
    ),
    (changed(["data"], [3, 3], GRID), "data lists 2 numbers for 4 modules"),
    (changed(["modules"], 5, GRID), "the grid has 4 places for 5 modules"),
    ({**LISTED, "topology": "tree", "depth": 3}, "the tree has 15 places for 2 modules"),
    ({"topology": "tree", "data": 3, "depth": 1000000}, "more than 1024"),
    (with_module(data_t1=1, data_t2=2.1), r"data_t2 is 2.1 s, more than twice data_t1 = 1.0 s"),
    (with_module(comm_t1=1, comm_t2=2.1), r"comm_t2 is 2.1 s, more than twice comm_t1 = 1.0 s"),
    (with_module(one_qubit_time=float("inf")), "one_qubit_time is inf, but must be finite"),
    (with_module(coupling=[[1, 1]]), "coupling joins position 1 to itself"),
    (
        with_module(coupling=[[0, 1], [1, 2], [2, 3], [3, 4]]),
        r"modules\[0\]: module 'A': the coupling map has 5 free positions for 6 qubits that are not placed",
    ),
    (
        with_module(coupling=[[i, i + 1] for i in range(6)], comm_positions=[4, 7]),
        r"modules\[0\]: module 'A': communication qubit 1 sits on position 7, which is not on the coupling map",
    ),
    (
        with_module(coupling=[[i, i + 1] for i in range(5)], data_positions=[0, 1, 2, 3], comm_positions=[4, 0]),
        "data qubit 0 and communication qubit 1 both sit on position 0",
    ),
    (
        with_module(coupling=[[0, 1], [1, 2], [2, 3], [4, 5]]),
        "the coupling map does not join communication qubit 0",
    ),
    (with_module(coupling=[[0, 1]], data_positions=[0, 1]), "data_positions has 2 entries for 4 data qubits"),
    (changed(["modules", 1, "hardware"], {"coupling": [[0, 1]]}), "cannot have unlimited communication qubits"),
    (
        with_link(purify={"rounds": 2, "scheme": "nested"}),
        r"the link A - B purifies its pairs \(dejmps, rounds = 2, nested\), which takes 3 communication qubits at each "
        "end, but module 'A' has 2: give it more, take fewer rounds, or leave purify out",
    ),
    (with_link(rate=2, attempt_time=1), "more than one pair for each attempt"),
    (with_link(fabric="f"), "goes through 'f', which is no fabric; the fabrics are none"),
    (changed(["fabrics"], [{"name": "f"}, {"name": "f"}]), "both called 'f'"),
    (with_link(state=[[0.5, 0, 0, 0.5], [0] * 4, [0] * 4, [0.4, 0, 0, 0.5]]), "it is not Hermitian"),
    (with_link(state=[[0.5, 0, 0, 0.5], [0] * 4, [0] * 4, [0.5, 0, 0, 0.6]]), "its trace is 1.1"),
    (with_link(state=[[0.5, 0, 0, 0.6], [0] * 4, [0] * 4, [0.6, 0, 0, 0.5]]), "negative eigenvalue -0.1"),
    (with_link(state=[[0.5, 0, 0, 0.5], [0] * 4, [0] * 4, [0.5, 0, 0, 0.5]], bell="psi+"), "less than 0.25"),
]


@pytest.mark.parametrize(("content", "message"), BAD + BAD_BEYOND_SCHEMA)
def test_bad_files(content, message, tmp_path):
    assert VALIDATOR.is_valid(content) == ((content, message) in BAD_BEYOND_SCHEMA)
    path = tmp_path / "net.json"
    path.write_text(json.dumps(content))
    with pytest.raises(NetworkError, match=message) as error:
        load_network(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(network_schema())
    assert network_schema()["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("name", preset_names())
def test_schema_accepts_presets(name):
    VALIDATOR.validate(preset(name).to_dict())


#: Any value where a file has a key: the schema and the reader give one verdict.
values = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.just(2.0), st.just(2.5),
    st.sampled_from(["", "A", "unlimited", "grid", "line", "tree", "star"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(
        st.sampled_from([
            "data_t1", "comm_t2", "reset_time", "reset_error", "coupling", "data_positions", "rate", "name",
            "pair_time", "attempt_time", "success_probability", "fidelity", "bell", "generators", "ports",
        ]),
        st.sampled_from([0, 1, 0.5, 2, 3.0, -1, True, None, "phi+", [], [[0, 1]], [[0, 1], [1, 2], [2, 3]]]),
        max_size=3,
    ),
)  # fmt: skip
keys = st.sampled_from(
    [
        "name",
        "description",
        "modules",
        "links",
        "topology",
        "rows",
        "cols",
        "branching",
        "depth",
        "data",
        "comm",
        "hardware",
        "link_hardware",
        "fabrics",
        "x",
    ]
)
changes = st.dictionaries(keys, values, max_size=3)
SEMANTIC = (
    "numbers for",
    "places for",
    "both called",
    "is no module",
    "to itself",
    "both join",
    "more than 1024",
    "both sit",
    "sits on",
    "entries for",
    "does not join",
    "unlimited communication",
    "more than one pair",
    "is no fabric",
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from([content for content, _ in GOOD]), changes, st.sets(keys, max_size=2))
def test_schema_and_reader_agree(base, new, removed):
    content = {key: value for key, value in {**base, **new}.items() if key not in removed}
    try:
        parse_network(content)
        accepted = True
    except NetworkError as error:
        if any(words in str(error) for words in SEMANTIC):
            return
        accepted = False
    assert VALIDATOR.is_valid(content) == accepted


@settings(max_examples=60, derandomize=True, deadline=None)
@given(networks(), st.text(st.characters(codec="utf-8")), st.sampled_from(["toml", "json"]))
def test_round_trip(tmp_path_factory, network, text, kind):
    path = tmp_path_factory.mktemp("net") / f"net.{kind}"
    network = Network(
        network.modules, network.links, network.name, description=text, source=text[:1], fabrics=network.fabrics
    )
    save_network(network, path)
    assert load_network(path) == network
    assert os.listdir(path.parent) == [path.name]
    content = path.read_text("utf-8")
    VALIDATOR.validate(tomllib.loads(content) if kind == "toml" else json.loads(content))


def test_toml_as_documented(tmp_path):
    path = tmp_path / "net.TOML"
    path.write_bytes(
        b'\xef\xbb\xbfname = "pair"\n[[modules]]\nname = "A"\ndata = 4\ncomm = 2\n'
        b'[[modules]]\nname = "B"\ndata = 3\ncomm = "unlimited"\n[[links]]\na = "A"\nb = "B"\n'
    )
    assert load_network(str(path)) == GOOD[0][1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.toml", b"name = 'x'\ndata = \n", r"n.toml: not TOML: .*line 2"),
        ("n.json", b'{"name": "x",\n "data": }', r"n.json, line 2, column 10: not JSON"),
        ("n.json", b'{"name": "x", "name": "y"}', r"n.json: the key 'name' occurs twice"),
        ("n.json", b"\xff\xfe\x00", r"n.json: not a text in UTF-8"),
        ("n.json", b"", "line 1"),
        ("n.json", b"[" * 200000, "nested too deeply"),
        ("n.yaml", b"", r"n.yaml: the name of a network file ends in .toml or .json"),
    ],
)
def test_unreadable(name, text, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(text)
    with pytest.raises(NetworkError, match=message):
        load_network(path)


def test_missing_and_unwritable(tmp_path):
    with pytest.raises(NetworkError, match=r"cannot read the network file .*No such file"):
        load_network(tmp_path / "none.toml")
    (tmp_path / "dir.toml").mkdir()
    with pytest.raises(NetworkError, match="cannot read the network file"):
        load_network(tmp_path / "dir.toml")
    network = Network.line(2, 1)
    with pytest.raises(NetworkError, match=r"cannot write the network file .*No such file"):
        save_network(network, tmp_path / "no" / "net.toml")
    with pytest.raises(NetworkError, match="cannot write the network file"):
        save_network(network, tmp_path / "dir.toml")
    with pytest.raises(NetworkError, match="not valid Unicode"):
        save_network(Network(network.modules, name="\ud800"), tmp_path / "net.json")
    assert os.listdir(tmp_path) == ["dir.toml"]


def test_save_replaces_and_is_readable(tmp_path):
    path = tmp_path / "net.json"
    save_network(Network.line(2, 1), path)
    save_network(Network.line(3, 1), path)
    assert load_network(path).num_modules == 3
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
