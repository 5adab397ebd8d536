import copy
import io
import pickle

import numpy as np
import pytest
from dynamic import Branch, embed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, QuantumRegister, qpy, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2, quantum_volume
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, Statevector, random_pauli_list, random_statevector
from qiskit.synthesis import synth_qft_full
from qiskit.transpiler import CouplingMap, PassManager, Target
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.preset_passmanagers.plugin import list_stage_plugins

import distq
from distq.errors import InfeasibleError, InputError, UsageError
from distq.network.files import save_network
from distq.network.model import Network
from distq.program.compiled import CompiledProgram
from distq.qiskit import BASIS_GATES, EPR, DistqTarget, DistributePass, generate_pass_manager

LEVELS = [0, 1, 2, 3]
CZ_BASIS = ("cz", "rz", "sx", "x")
PAIR = Network.from_dict(
    {"topology": "line", "modules": [{"name": name, "data": 2, "comm": 2} for name in ("left", "right")]}
)
LINE = Network.from_dict(
    {
        "topology": "line",
        "modules": [{"name": name, "data": 2, "comm": 1} for name in ("one", "two", "three")],
    }
)
FAST = {"effort": "fast"}


def distribute(circuit, network, level, **options):
    """Through `transpile`, as a user would."""
    basis = options.pop("basis_gates", None)
    target = DistqTarget(network, basis_gates=basis, **{**FAST, **options})
    return transpile(
        circuit,
        target=target,
        init_method="distq",
        layout_method="distq",
        optimization_level=level,
        seed_transpiler=7,
    )


def pairs(circuit):
    return sum(item.label == EPR for item in circuit.data)


def entangling(n, seed=0, name="source"):
    """Gates between all qubits, with SWAPs, diagonal gates and whole multi-qubit gates."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, name=name)
    for q in range(n):
        circuit.u(*rng.uniform(0, 6, 3), q)
    for a in range(n):
        for b in range(a):
            (circuit.cx, circuit.cz, circuit.swap)[rng.integers(3)](a, b)
            circuit.cp(rng.uniform(0, 6), b, a)
            circuit.ry(rng.uniform(0, 6), a)
    if n > 2:
        circuit.ccx(0, n - 1, 1)
        circuit.ccz(2, 0, 1)
    return circuit


def check_local(result, network):
    """Every gate within one module, but the Bell pairs, which join two."""
    module_of = {}
    for register in result.qregs:
        found = [m.name for m in network.modules if m.name in register.name]
        assert len(found) == 1, register
        module_of.update(dict.fromkeys(register, found[0]))
    assert set(module_of) == set(result.qubits)
    crossing = 0
    for item in result.data:
        modules = {module_of[q] for q in item.qubits}
        if item.label == EPR:
            assert item.name in ("cx", EPR)
            assert len(modules) == 2
            crossing += 1
        elif item.name != "barrier":
            assert len(modules) <= 1, item
    return crossing


def places(circuit, indices):
    """Module, kind and number of some qubits, from the names of their registers."""
    found = {}
    for i, index in enumerate(indices):
        register, number = circuit.find_bit(circuit.qubits[index]).registers[0]
        found[str(i)] = [*register.name.rsplit("_", 1), number]
    return found


def check_state(source, result, seed=0, branches=3):
    """Any input on the initial layout gives the source's output on the final layout, in each branch."""
    rng = np.random.default_rng(seed)
    start = result.layout.initial_index_layout(filter_ancillas=True)
    end = result.layout.final_index_layout(filter_ancillas=True)
    for _ in range(branches):
        state = random_statevector(2**source.num_qubits, rng)
        wanted = state.evolve(source).data
        found = Branch(result, rng, embed(state.data, start, result.num_qubits)).reduced(end)
        assert np.isclose(np.real(wanted.conj() @ found @ wanted), 1)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("network", [PAIR, LINE], ids=["pair", "line"])
def test_transpile_gives_a_right_circuit(network, level):
    source = entangling(4, name="mine")
    source.metadata = {"note": 1}
    result = distribute(source, network, level)
    ebits = result.metadata["distq"]["ebits"]
    assert ebits > 0
    assert pairs(result) == check_local(result, network) == ebits
    check_state(source, result)
    assert result.name == "mine"
    assert result.metadata["note"] == 1
    assert Network.from_dict(result.metadata["distq"]["network"]) == network
    told = result.metadata["distq"]
    assert told["initial_layout"] == places(result, result.layout.initial_index_layout(filter_ancillas=True))
    assert told["final_layout"] == places(result, result.layout.final_index_layout())
    assert told["verified"] == {"method": "symbolic", "ok": True}


@pytest.mark.parametrize("level", LEVELS)
def test_pass_manager_gives_a_right_circuit(level):
    source = entangling(4, seed=1)
    manager = generate_pass_manager(PAIR, level, **FAST)
    result = manager.run(source)
    assert pairs(result) == check_local(result, PAIR) == manager.property_set["distq_program"].ebits
    check_state(source, result)
    assert "barrier" not in result.count_ops()


@pytest.mark.parametrize("level", LEVELS)
def test_observables_follow_the_layout(level):
    source = entangling(4, seed=2)
    source.swap(0, 3)
    result = distribute(source, PAIR, level)
    rng = np.random.default_rng(3)
    operator = SparsePauliOp(random_pauli_list(4, 8, seed=4, phase=False), rng.normal(size=8))
    wanted = Statevector(source).expectation_value(operator)
    mapped = operator.apply_layout(result.layout)
    assert mapped.num_qubits == result.num_qubits
    found = Statevector(Branch(result, rng).vector()).expectation_value(mapped)
    assert np.isclose(found, wanted)


def test_estimator_of_aer():
    aer = pytest.importorskip("qiskit_aer.primitives")
    source = entangling(3, seed=5)
    result = distribute(source, PAIR, 1)
    operators = [SparsePauliOp(p) for p in ("ZII", "IZX", "YXZ")]
    estimator = aer.EstimatorV2(options={"run_options": {"shot_branching_enable": True, "shots": 50}})
    found = estimator.run([(result, [o.apply_layout(result.layout) for o in operators])]).result()[0].data.evs
    assert np.allclose(found, [np.real(Statevector(source).expectation_value(o)) for o in operators], atol=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_counts_of_a_measured_circuit(level):
    aer = pytest.importorskip("qiskit_aer")
    source = QuantumCircuit(4)
    source.h(0)
    for q in range(3):
        source.cx(q, q + 1)
    source.x(1)
    source.measure_all()
    result = distribute(source, PAIR, level)
    job = aer.AerSimulator(seed_simulator=1).run(result, shots=200, shot_branching_enable=True)
    columns = [c.name for c in result.cregs]
    position = len(columns) - 1 - columns.index("meas")
    counts = {}
    for key, value in job.result().get_counts().items():
        word = key.split(" ")[position]
        counts[word] = counts.get(word, 0) + value
    assert set(counts) == {"0010", "1101"}
    assert min(counts.values()) > 60


def test_noise_model_addresses_the_pairs():
    aer = pytest.importorskip("qiskit_aer")
    noise = pytest.importorskip("qiskit_aer.noise")
    source = QuantumCircuit(4)
    source.h(0)
    for q in range(3):
        source.cx(q, q + 1)
    source.measure_all()
    result = generate_pass_manager(PAIR, 3, without=("measured",), **FAST).run(source)
    model = noise.NoiseModel()
    model.add_all_qubit_quantum_error(noise.pauli_error([("IX", 1.0)]), EPR)
    job = aer.AerSimulator(noise_model=model, seed_simulator=1).run(result, shots=50, shot_branching_enable=True)
    columns = [c.name for c in result.cregs]
    position = len(columns) - 1 - columns.index("meas")
    words = {key.split(" ")[position] for key in job.result().get_counts()}
    # The one pair of a GHZ state, flipped: half of the qubits are flipped against the others.
    assert pairs(result) == 1
    assert not words & {"0000", "1111"}
    assert all(word.count("1") == 2 for word in words)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("basis", [CZ_BASIS, ("cx", "rz", "sx"), ("ecr", "u")], ids=["cz", "cx", "ecr"])
def test_basis_gates(basis, level):
    source = entangling(3, seed=6)
    result = distribute(source, PAIR, level, basis_gates=basis)
    named = set(basis) | {"measure", "reset", "if_else", "barrier"} | (set() if "cx" in basis else {EPR})
    assert set(result.count_ops()) <= named
    for item in result.data:
        if item.name == "if_else":
            assert all(set(body.count_ops()) <= named for body in item.operation.blocks if body is not None)
    assert pairs(result) == check_local(result, PAIR) == result.metadata["distq"]["ebits"]
    check_state(source, result)
    if "cx" not in basis:
        opened = result.decompose(EPR)
        assert sum(item.label == EPR and item.name == "cx" for item in opened.data) == pairs(result)


def test_clifford_t_basis():
    source = QuantumCircuit(4)
    for a, b in ((0, 1), (2, 3), (0, 2), (1, 3), (0, 3)):
        source.h(a)
        source.t(b)
        source.cx(a, b)
    result = generate_pass_manager(PAIR, 2, basis_gates=("h", "s", "sdg", "t", "tdg", "cx", "x", "z"), **FAST).run(
        source
    )
    assert pairs(result) == check_local(result, PAIR) > 0
    check_state(source, result)


@pytest.mark.parametrize("level", LEVELS)
def test_wide_gates_borrow_no_qubits_elsewhere(level):
    network = Network.from_dict(
        {
            "topology": "line",
            "modules": [{"name": "big", "data": 5, "comm": 1}, {"name": "small", "data": 2, "comm": 1}],
        }
    )
    source = QuantumCircuit(7)
    source.h(range(7))
    source.mcp(0.7, [0, 1, 2, 3], 4)
    source.mcx([4, 3, 2, 1], 0)
    source.cx(5, 6)
    source.cx(4, 5)
    result = distribute(source, network, level, verify="none")
    assert pairs(result) == check_local(result, network)
    check_state(source, result, branches=1)


@pytest.mark.parametrize("level", [1, 3])
def test_parameters_survive(level):
    source = efficient_su2(4, reps=1)
    result = distribute(source, PAIR, level)
    assert set(result.parameters) == set(source.parameters)
    values = dict(zip(source.parameters, np.random.default_rng(8).uniform(0, 6, source.num_parameters)))
    check_state(source.assign_parameters(values), result.assign_parameters(values))


@pytest.mark.parametrize("level", LEVELS)
def test_control_flow_of_the_source(level):
    source = QuantumCircuit(4, 2)
    angle = Parameter("t")
    source.ry(angle, 0)
    with source.for_loop(range(2)):
        source.cx(0, 3)
        source.h(3)
    source.x(1)
    source.measure(1, 0)
    with source.if_test((source.clbits[0], 1)):
        source.cx(2, 0)
        source.ry(0.3, 2)
    result = distribute(source, PAIR, level)
    assert check_local(result, PAIR) == pairs(result)
    flat = QuantumCircuit(4)
    flat.ry(0.4, 0)
    for _ in range(2):
        flat.cx(0, 3)
        flat.h(3)
    flat.x(1)
    flat.cx(2, 0)
    flat.ry(0.3, 2)
    end = result.layout.final_index_layout()
    found = Branch(result.assign_parameters({angle: 0.4}), np.random.default_rng(0))
    wanted = Statevector(flat).data
    state = found.reduced([end[q] for q in (0, 2, 3)])
    kept = wanted.reshape(2, 2, 2, 2)[:, :, 1, :].reshape(-1)
    assert np.isclose(np.real(kept.conj() @ state @ kept), 1)


def test_swaps_become_a_final_layout():
    source = QuantumCircuit(4)
    source.h(0)
    source.swap(0, 3)
    source.swap(1, 2)
    source.cx(3, 2)
    result = distribute(source, PAIR, 1)
    check_state(source, result)
    assert result.layout.final_layout is not None
    assert sorted(result.layout.final_index_layout(filter_ancillas=False)) == list(range(result.num_qubits))


def test_a_single_module_needs_nothing():
    source = entangling(3)
    result = distribute(source, Network.all_to_all(1, 3, 0), 1)
    assert pairs(result) == 0
    check_state(source, result)


def test_registers_and_draw():
    a, b = QuantumRegister(2, "a"), QuantumRegister(2, "ancilla")
    source = QuantumCircuit(a, b)
    source.h(a[0])
    source.cx(a[0], b[1])
    result = distribute(source, PAIR, 1)
    virtual = result.layout.initial_virtual_layout(filter_ancillas=True)
    assert {bit: virtual[bit] for bit in source.qubits} == dict(
        zip(source.qubits, result.layout.initial_index_layout(filter_ancillas=True))
    )
    assert "a_0 ->" in str(result.draw("text", fold=-1))


def test_qpy_round_trip():
    result = distribute(entangling(3), PAIR, 2)
    buffer = io.BytesIO()
    qpy.dump(result, buffer)
    buffer.seek(0)
    (again,) = qpy.load(buffer)
    assert again == result
    assert again.metadata == result.metadata
    assert again.layout.final_index_layout() == result.layout.final_index_layout()
    assert pairs(again) == pairs(result)


def test_many_circuits_in_parallel():
    sources = [entangling(4, seed=s) for s in range(4)]
    target = DistqTarget(PAIR, **FAST)
    results = transpile(
        sources,
        target=target,
        init_method="distq",
        layout_method="distq",
        optimization_level=1,
        num_processes=2,
    )
    for source, result in zip(sources, results):
        check_state(source, result, branches=1)
        assert pairs(result) == result.metadata["distq"]["ebits"]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_target_copies(clone):
    target = DistqTarget(PAIR, basis_gates=CZ_BASIS, seed=5, effort="fast")
    twin = clone(target)
    assert isinstance(twin, DistqTarget)
    assert twin.network == PAIR
    assert twin.options == {"seed": 5, "effort": "fast"}
    assert twin.operation_names == target.operation_names
    assert twin.num_qubits == target.num_qubits == 8
    assert twin.description == target.description
    results = [
        transpile(entangling(3), target=t, init_method="distq", layout_method="distq", optimization_level=1)
        for t in (target, twin)
    ]
    assert results[0] == results[1]


def test_target():
    target = DistqTarget(PAIR)
    assert isinstance(target, Target)
    assert target.build_coupling_map() is None
    assert set(BASIS_GATES) | {"measure", "reset", "delay", "if_else"} <= set(target.operation_names)
    assert EPR not in target.operation_names
    assert DistqTarget(Network.all_to_all(2, 2, None)).num_qubits is None
    assert DistqTarget("oxford-2025").network.name == "oxford-2025"


def test_unlimited_communication_qubits():
    network = Network.from_dict(
        {**LINE.to_dict(), "modules": [{**m.to_dict(), "comm": "unlimited"} for m in LINE.modules]}
    )
    source = entangling(3, seed=9)
    result = distribute(source, network, 2)
    check_state(source, result, branches=1)


def test_network_file(tmp_path):
    save_network(LINE, tmp_path / "line.toml")
    assert generate_pass_manager(tmp_path / "line.toml", 0, **FAST).run(entangling(3)).layout is not None


def test_same_seed_same_circuit():
    source = quantum_volume(4, 3, seed=1)
    one, two = (distribute(source, PAIR, 1, seed=3) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("options", "level", "wanted"),
    [
        ({}, 3, {"seed": 7, "effort": "best"}),
        ({}, 0, {"seed": 7, "effort": "fast"}),
        ({"seed": 2, "effort": "fast", "verify": "none"}, 3, {"seed": 2, "effort": "fast", "verify": "none"}),
    ],
)
def test_options_reach_the_compiler(options, level, wanted, monkeypatch):
    seen = {}

    def spy(circuit, network, **given):
        seen.update(given, network=network)
        raise InputError("seen")

    target = DistqTarget(PAIR, **options)
    monkeypatch.setattr(distq, "compile", spy)
    with pytest.raises(InputError, match="seen"):
        transpile(entangling(2), target=target, init_method="distq", optimization_level=level, seed_transpiler=7)
    assert seen == {**wanted, "network": PAIR}


def test_installed_as_plugins():
    assert "distq" in list_stage_plugins("init")
    assert "distq" in list_stage_plugins("layout")


def test_own_pass_manager():
    manager = PassManager([DistributePass(PAIR, FAST)])
    result = manager.run(synth_qft_full(4))
    assert manager.property_set["distq_program"].ebits == pairs(result) > 0


def test_without_a_layout_the_places_are_told(monkeypatch):
    original = CompiledProgram.to_qiskit

    def export(program):
        circuit = original(program)
        circuit._layout = None
        return circuit

    monkeypatch.setattr(CompiledProgram, "to_qiskit", export)
    result = distribute(entangling(3), PAIR, 1)
    assert result.layout is None
    assert len(result.metadata["distq"]["final_layout"]) == 3


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**16),
    level=st.sampled_from(LEVELS),
    shape=st.sampled_from(["all-to-all", "line", "star"]),
    sizes=st.lists(st.integers(1, 3), min_size=2, max_size=3),
    comm=st.integers(1, 2),
    basis=st.sampled_from([None, CZ_BASIS, ("cx", "u")]),
)
def test_random_circuits(seed, level, shape, sizes, comm, basis):
    modules = [{"name": f"q{i}", "data": size, "comm": comm} for i, size in enumerate(sizes)]
    network = Network.from_dict({"topology": shape, "modules": modules})
    source = random_circuit(min(4, sum(sizes)), 4, max_operands=3, seed=seed)
    # This test is a verification of its own.
    result = distribute(source, network, level, basis_gates=basis, verify="none")
    assert pairs(result) == check_local(result, network) == result.metadata["distq"]["ebits"]
    check_state(source, result, seed=seed, branches=1)


def test_errors():
    source = entangling(4)
    plain = Target.from_configuration(["cx", "u"], num_qubits=4)
    with pytest.raises(UsageError, match=r"target=DistqTarget\(network\)"):
        transpile(source, target=plain, init_method="distq")
    with pytest.raises(UsageError, match=r"initial_layout has no meaning.*initial_homes"):
        transpile(source, target=DistqTarget(PAIR), init_method="distq", initial_layout=[0, 1, 2, 3])
    with pytest.raises(UsageError, match='layout_method="distq" needs init_method="distq"'):
        transpile(source, coupling_map=CouplingMap.from_line(4), layout_method="distq", optimization_level=0)
    with pytest.raises(UsageError, match=r"'efort' is no option of distq.compile: the options are effort, "):
        DistqTarget(PAIR, efort="fast")
    with pytest.raises(UsageError, match=r"basis_gates has 'cnot', no standard gate of Qiskit: use .*cx"):
        DistqTarget(PAIR, basis_gates=["cnot"])
    with pytest.raises(UsageError, match="optimization_level is 4: give 0, 1, 2 or 3"):
        generate_pass_manager(PAIR, 4)
    with pytest.raises(UsageError, match="--network 'moon' is not known"):
        generate_pass_manager("moon")
    with pytest.raises(InfeasibleError, match="needs 5 qubits, but the network has 4 data qubits"):
        distribute(entangling(5), PAIR, 1)
    looping = QuantumCircuit(2, 1)
    with looping.while_loop((looping.clbits[0], 0)):
        looping.h(0)
        looping.measure(0, 0)
    with pytest.raises(TranspilerError, match="while_loop"):
        distribute(looping, PAIR, 1)
    with pytest.raises(InputError, match="while_loop"):
        PassManager([DistributePass(PAIR, FAST)]).run(looping)
