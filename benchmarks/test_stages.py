"""Timings of each stage with pytest-benchmark: `pytest benchmarks/test_stages.py`.

The circuit is a random one of 2,000 two-qubit gates on 64 qubits, the network has four modules with two communication
qubits each. The goal beside each stage is what a million gates may cost: microseconds for each two-qubit gate.
"""

import pytest
from scale import random_circuit

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.partition.order import order
from distq.partition.packets import build_packets
from distq.partition.place import place
from distq.pipeline import make_plan
from distq.program.files import load_program, save_program
from distq.program.order import canonical
from distq.program.to_qiskit import to_qiskit
from distq.protocols.lower import lower
from distq.rewrite.merge import merge_one_qubit
from distq.schedule.asap import asap
from distq.verify.loading import load_circuit
from distq.verify.reader import read_directory
from distq.verify.symbolic import verify_symbolic

NETWORK = distq.Network.all_to_all(4, data=16, comm=2)


@pytest.fixture(scope="module")
def source():
    return random_circuit(64, 2000, 0)


@pytest.fixture(scope="module")
def circuit(source):
    return merge_one_qubit(from_qiskit(source))


@pytest.fixture(scope="module")
def placement(circuit):
    return place(circuit, build_packets(circuit), NETWORK)


@pytest.fixture(scope="module")
def plan(circuit):
    return make_plan(circuit, NETWORK, effort="fast")


@pytest.fixture(scope="module")
def program(plan):
    return canonical(lower(plan))


@pytest.fixture(scope="module")
def directory(program, tmp_path_factory):
    target = tmp_path_factory.mktemp("program") / "p"
    save_program(program, target)
    return target


def test_read(benchmark, source):  # goal: 5
    assert len(benchmark(from_qiskit, source))


def test_merge(benchmark, source):  # goal: 1
    assert len(benchmark(merge_one_qubit, from_qiskit(source)))


def test_packets(benchmark, circuit):  # goal: 1
    assert benchmark(build_packets, circuit).num_packets


@pytest.mark.parametrize("effort", ["fast", "default"])
def test_place(benchmark, circuit, effort):  # goal: 20 at fast, for large circuits
    graph = build_packets(circuit)
    assert len(benchmark(place, circuit, graph, NETWORK, effort=effort).homes)


def test_order(benchmark, circuit, placement):  # goal: 20
    assert len(benchmark(order, circuit, build_packets(circuit), NETWORK, placement).kind)


def test_lower(benchmark, plan):  # goal: 15
    assert len(benchmark(lower, plan))


def test_canonical(benchmark, plan):  # goal: 3
    assert len(benchmark(canonical, lower(plan)))


def test_schedule(benchmark, program):  # goal: 1
    assert benchmark(asap, program).makespan > 0


def test_save(benchmark, program, tmp_path):  # goal: 20
    names = iter(range(10**6))
    benchmark(lambda: save_program(program, tmp_path / str(next(names))))
    assert (tmp_path / "0" / "manifest.json").exists()


def test_load(benchmark, directory):  # goal: 30
    assert len(benchmark(load_program, directory)[0])


def test_to_qiskit(benchmark, program):  # goal: 100
    assert benchmark(to_qiskit, program).size()


def test_verify_symbolic(benchmark, source, directory):  # goal: 60
    circuit = load_circuit(source)
    assert benchmark(lambda: verify_symbolic(circuit, read_directory(directory))).ok
