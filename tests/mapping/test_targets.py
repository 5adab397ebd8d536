"""Coupling maps in descriptions of hardware, and modules from Qiskit targets."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, Target

import distq
from distq import Module, ModuleHardware, Network
from distq.errors import NetworkError
from distq.network.files import load_network, save_network

LINE = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        ({"coupling": LINE[:3]}, "4 free positions for 6 qubits that are not placed"),
        ({"coupling": LINE, "comm_positions": [0, 9]}, "communication qubit 1 sits on position 9, which is not on the"),
        ({"coupling": LINE, "comm_positions": [0]}, "comm_positions has 1 entries for 2 communication qubits"),
        ({"coupling": [*LINE[:2], *LINE[3:]]}, "the coupling map does not join data qubit 3"),
        ({"coupling": [(0, 1), (1, -2)]}, "coupling names position -2"),
        # Position 2 holds no qubit, so nothing passes there.
        (
            {"coupling": [*LINE, (5, 6)], "data_positions": [0, 1, 3, 4], "comm_positions": [5, 6]},
            "the coupling map does not join data qubit 2",
        ),
    ],
)
def test_maps_that_do_not_fit_are_refused(hardware: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Module("A", 4, 2, ModuleHardware(**hardware))


def test_what_is_not_placed_takes_the_free_positions() -> None:
    assert ModuleHardware(coupling=LINE, comm_positions=[0, 3]).places(4, 2) == ((1, 2, 4, 5), (0, 3))
    assert ModuleHardware(coupling=LINE, data_positions=[5, 4, 1, 0]).places(4, 2) == ((5, 4, 1, 0), (2, 3))


def backend() -> GenericBackendV2:
    return GenericBackendV2(
        num_qubits=19,
        coupling_map=CouplingMap.from_heavy_hex(3),
        seed=5,
        noise_info=True,
        basis_gates=["cz", "sx", "x", "rz"],
    )


def test_a_backend_becomes_a_module(tmp_path: Path) -> None:
    source = backend()
    module = Module.from_backend(source, comm=[9, 13], name="A")
    hardware = module.hardware
    assert hardware is not None
    assert (module.data, module.comm) == (17, 2)
    assert hardware.comm_positions == (9, 13)
    edges = {frozenset(edge) for edge in CouplingMap.from_heavy_hex(3)}
    assert {frozenset(edge) for edge in hardware.coupling or ()} == edges
    target = source.target
    assert hardware.two_qubit_time == median(p.duration for p in target["cz"].values())
    assert hardware.measure_error == median(p.error for p in target["measure"].values())
    ports = [target.qubit_properties[p].t1 for p in (9, 13)]
    assert hardware.comm_t1 == pytest.approx(sum(ports) / 2)
    assert hardware.data_t2 is not None
    assert hardware.data_t1 is not None
    assert hardware.data_t2 <= 2 * hardware.data_t1
    network = Network((module, Module.from_backend(source, comm=[9, 13], name="B")), (distq.Link("A", "B"),))
    for name in ("n.toml", "n.json"):
        save_network(network, tmp_path / name)
        assert load_network(tmp_path / name) == network


def test_a_program_for_heavy_hex_backends() -> None:
    modules = tuple(Module.from_backend(backend(), comm=[9, 13], name=name) for name in "AB")
    network = Network(modules, (distq.Link("A", "B"),))
    circuit = QuantumCircuit(6)
    for a in range(6):
        circuit.h(a)
        for b in range(a):
            circuit.cp(math.pi / 2 ** (a - b), a, b)
    pins = {q: "A" if q < 3 else "B" for q in range(6)}
    compiled = distq.compile(circuit, network, pins=pins, effort="fast")
    assert distq.verify(circuit, compiled, "statevector").ok
    assert compiled.stats["verified"]["ok"]


def test_targets_that_make_no_module_are_refused() -> None:
    for comm, message in (
        ([19], "comm names position 19, but the target has the positions 0 to 18"),
        ([3, 3], "comm names position 3 twice"),
        (range(19), "all 19 positions of the target are communication qubits"),
    ):
        with pytest.raises(NetworkError, match=f"module 'A': {message}"):
            Module.from_backend(backend(), comm=list(comm), name="A")
    with pytest.raises(NetworkError, match="states no number of qubits"):
        Module.from_target(Target(), comm=[0])


def test_a_target_without_restrictions_has_no_map() -> None:
    module = Module.from_target(GenericBackendV2(4, seed=1).target, comm=[0])
    assert module.hardware is not None
    assert module.hardware.coupling is not None  # all with all, as the target lists it
    assert len(module.hardware.coupling) == 6
