"""How well the predicted fidelity agrees with exact noisy simulation, and a GHZ state on slow links.

    python benchmarks/fidelity.py [--programs 12] [--seed 0] [--worst 10] [--skip-structured] [--skip-ghz]

Random programs on 2 to 4 qubits over presets, some with local figures of our own choice where the preset has none (they
are printed), are simulated as processes with density matrices (entanglement fidelity), and compared with
`distq.predict_fidelity`; exit code 1 if any of them differs by more than 0.02. Then circuits with structure, among them some for which the prediction is
bad; and a GHZ state on 12 qubits over 4 modules, as in arXiv:2511.19791, with and without the noise of waiting.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, replace

import numpy as np
from qiskit import QuantumCircuit

import distq
from distq import LinkHardware, ModuleHardware, Network
from distq.schedule.plan import schedule
from distq.simulate.noisy import noisy

LIMIT = 0.02
#: Local figures for presets that publish none: round numbers of the kind that such machines report, our assumption.
IONS = ModuleHardware(
    one_qubit_time=10e-6, two_qubit_time=200e-6, measure_time=200e-6, reset_time=20e-6,
    one_qubit_error=2e-4, two_qubit_error=4e-3, measure_error=3e-3, reset_error=1e-3,
    data_t1=10.0, data_t2=1.0, comm_t1=10.0, comm_t2=1.0,
)  # fmt: skip
TRANSMONS = ModuleHardware(
    one_qubit_time=35e-9, two_qubit_time=70e-9, measure_time=700e-9, reset_time=300e-9,
    one_qubit_error=3e-4, two_qubit_error=4e-3, measure_error=1e-2, reset_error=5e-3,
    data_t1=250e-6, data_t2=150e-6, comm_t1=250e-6, comm_t2=150e-6,
)  # fmt: skip
#: Pairs in both variants of simdisq-like, whose source gives a model instead of a number: our assumption.
PAIRS = 0.95


@dataclass(frozen=True)
class Setting:
    """Hardware for random programs."""

    name: str
    module: ModuleHardware | None
    link: LinkHardware
    line: bool = False
    largest: int = 4

    def network(self, qubits: int, modules: int) -> Network:
        """Just enough data qubits, one communication qubit in each module (two where three modules form a line)."""
        make = Network.line if self.line else Network.all_to_all
        comm = 2 if self.line and modules > 2 else 1
        return make(modules, data=-(-qubits // modules), comm=comm, hardware=self.module, link_hardware=self.link)


def settings() -> list[Setting]:
    """Presets as they are, or with local figures."""

    def parts(name: str) -> tuple[ModuleHardware | None, LinkHardware]:
        network = distq.preset(name)
        return network.modules[0].hardware, network.links[0].hardware or LinkHardware()

    rigetti, oxford = parts("rigetti-multichip-2021"), parts("oxford-2025")
    simdisq, eth, cable = (parts(n)[1] for n in ("simdisq-like", "eth-cryolink-2023", "sc-cable-2023"))
    return [
        Setting("oxford-2025", *oxford, largest=2),
        Setting("rigetti-multichip-2021", *rigetti, line=True),
        Setting("simdisq-like, ions", IONS, replace(simdisq, fidelity=PAIRS)),
        Setting("simdisq-like, transmons", TRANSMONS, replace(simdisq, fidelity=PAIRS)),
        Setting("eth-cryolink-2023, transmons", TRANSMONS, eth),
        Setting("sc-cable-2023, transmons", TRANSMONS, replace(cable, pair_time=1e-6), line=True),
    ]


KINDS = ("clifford", "generic", "phases", "rotations")


def random_circuit(kind: str, qubits: int, gates: int, rng: np.random.Generator) -> QuantumCircuit:
    """Of Clifford gates; of controlled phases between general gates; of phases with few X rotations; of RZZ and RX."""
    circuit = QuantumCircuit(qubits)
    for _ in range(gates):
        a, b = (int(q) for q in rng.choice(qubits, 2, replace=False))
        angles = [float(x) for x in rng.uniform(-math.pi, math.pi, 4)]
        if kind == "clifford":
            getattr(circuit, str(rng.choice(["h", "s", "sx"])))(a)
            getattr(circuit, str(rng.choice(["cx", "cz"])))(a, b)
        elif kind == "generic":
            circuit.u(*angles[:3], a)
            circuit.cp(angles[3], a, b)
        elif kind == "phases":
            circuit.cp(angles[0], a, b)
            if rng.random() < 0.4:
                circuit.rx(angles[1], a)
        else:
            circuit.rzz(angles[0], a, b)
            circuit.rx(angles[1], a)
            circuit.rx(angles[2], b)
    return circuit


@dataclass(frozen=True)
class Case:
    """One comparison of process fidelities."""

    setting: str
    kind: str
    qubits: int
    gates: int
    ebits: int
    simulated: float
    predicted: float
    product: float

    @property
    def difference(self) -> float:
        return self.predicted - self.simulated


def cases(programs: int, seed: int, chosen: list[Setting] | None = None, most_qubits: int = 4) -> list[Case]:
    """Random programs that use at least one pair."""
    result = []
    for index, setting in enumerate(settings() if chosen is None else chosen):
        rng = np.random.default_rng([seed, index])
        found = 0
        while found < programs:
            kind = KINDS[found % len(KINDS)]
            qubits = int(rng.integers(2, min(setting.largest, most_qubits) + 1))
            modules = 3 if qubits == 3 and rng.random() < 0.3 else 2
            gates = int(rng.integers(1, 3 if setting.largest == 2 else 4 * qubits - 3))
            circuit = random_circuit(kind, qubits, gates, rng)
            case = _compared(setting, kind, circuit, setting.network(qubits, modules))
            if case.ebits:
                found += 1
                result.append(case)
    return result


def trotter(qubits: int, steps: int, zz: float, x: float) -> QuantumCircuit:
    """An Ising chain in small steps."""
    circuit = QuantumCircuit(qubits)
    for _ in range(steps):
        for q in range(qubits - 1):
            circuit.rzz(zz, q, q + 1)
        circuit.rx(x, range(qubits))
    return circuit


def heisenberg(qubits: int, steps: int, angle: float) -> QuantumCircuit:
    """A Heisenberg chain in small steps."""
    circuit = QuantumCircuit(qubits)
    for _ in range(steps):
        for q in range(qubits - 1):
            circuit.rxx(angle, q, q + 1)
            circuit.ryy(angle, q, q + 1)
            circuit.rzz(angle, q, q + 1)
    return circuit


def grover() -> QuantumCircuit:
    """Two rounds of a search on three qubits."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    for _ in range(2):
        circuit.ccz(0, 1, 2)
        circuit.h(range(3))
        circuit.x(range(3))
        circuit.ccz(0, 1, 2)
        circuit.x(range(3))
        circuit.h(range(3))
    return circuit


def structured() -> list[Case]:
    """Circuits with structure on every setting, and small steps through bad pairs, where paths interfere most."""
    from qiskit.circuit.library import QFTGate

    qft = QuantumCircuit(3)
    qft.append(QFTGate(3), range(3))
    circuits = {
        "trotter 3x6": trotter(3, 6, 0.2, 0.15),
        "trotter 2x10": trotter(2, 10, 0.15, 0.1),
        "heisenberg 3x4": heisenberg(3, 4, 0.15),
        "grover 3": grover(),
        "qft 3": qft,
    }
    chosen = [(s, name, c) for s in settings() if s.largest > 2 for name, c in circuits.items()]
    bad = Setting("Werner pairs of .9 alone", None, LinkHardware(fidelity=0.9))
    for qubits, steps, zz, x in ((2, 5, 0.3, 0.3), (2, 10, 0.15, 0.1), (2, 20, 0.1, 0.1), (3, 5, 0.4, 0.1)):
        chosen.append((bad, f"trotter {qubits}x{steps}", trotter(qubits, steps, zz, x)))
    return [_compared(s, name, c, s.network(c.num_qubits, 2)) for s, name, c in chosen]


def _compared(setting: Setting, kind: str, circuit: QuantumCircuit, network: Network) -> Case:
    program = distq.compile(circuit, network, effort="fast", verify="none")
    timeline = schedule(program)
    exact = noisy(program, timeline=timeline, reference=True, method="density_matrix").process_fidelity
    guess = distq.predict_fidelity(timeline)
    assert exact is not None
    return Case(
        setting.name, kind, circuit.num_qubits, circuit.size(), program.ebits, exact, guess.fidelity, guess.product
    )


def agreement(found: list[Case], worst: int) -> str:
    """Tables by setting, by fidelity, and of the worst cases."""
    lines = [
        f"{'preset':30} {'cases':>5} {'simulated F':>15} {'paths: mean':>11} {'max':>6} "
        f"{'product: mean':>13} {'max':>6}"
    ]

    def row(name: str, chosen: list[Case]) -> None:
        if not chosen:
            return
        f = [c.simulated for c in chosen]
        paths, product = ([abs(d) for d in x] for x in (
            [c.difference for c in chosen], [c.product - c.simulated for c in chosen]))  # fmt: skip
        lines.append(
            f"{name:30} {len(chosen):5} {min(f):7.3f} -{max(f):6.3f} {np.mean(paths):11.4f} {max(paths):6.4f} "
            f"{np.mean(product):13.4f} {max(product):6.4f}"
        )

    for name in dict.fromkeys(c.setting for c in found):
        row(name, [c for c in found if c.setting == name])
    for kind in KINDS:
        row(f"  {kind}", [c for c in found if c.kind == kind])
    for low, high in ((0.8, 1.01), (0.5, 0.8), (0.0, 0.5)):
        row(f"  simulated {low:.1f} to {min(high, 1):.1f}", [c for c in found if low <= c.simulated < high])
    row("all", found)
    lines += ["", listed("worst cases", sorted(found, key=lambda c: -abs(c.difference))[:worst])]
    return "\n".join(lines)


def listed(title: str, found: list[Case]) -> str:
    """A line for each case."""
    lines = [f"{title:30} {'kind':14} {'qubits':>6} {'gates':>5} {'ebits':>5} {'simulated':>9} "
              f"{'predicted':>9} {'product':>8}"]  # fmt: skip
    for c in found:
        lines.append(
            f"{c.setting:30} {c.kind:14} {c.qubits:6} {c.gates:5} {c.ebits:5} {c.simulated:9.4f} {c.predicted:9.4f} "
            f"{c.product:8.4f}"
        )
    return "\n".join(lines)


def ghz_circuit(qubits: int = 12) -> QuantumCircuit:
    """A GHZ state by a chain of CX."""
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for q in range(qubits - 1):
        circuit.cx(q, q + 1)
    return circuit


def ghz(shots: int = 1000) -> str:
    """GHZ-12 over 4 modules: state fidelity with and without the noise of waiting, and the prediction."""
    base = distq.preset("simdisq-like")
    link = base.links[0].hardware or LinkHardware()
    quick = replace(link, pair_time=1e-6, latency=1e-7, fidelity=PAIRS)
    slow = replace(link, fidelity=PAIRS)
    still = ("two-qubit", "one-qubit", "pairs", "measurement")
    lines = [
        f"{'GHZ-12 over 4 modules':30} {'pairs':>6} {'makespan':>9} {'no waiting':>10} {'with':>12} {'predicted':>9}"
    ]
    for name, module, hardware in (
        ("transmons", TRANSMONS, quick), ("transmons", TRANSMONS, slow), ("ions", IONS, slow)):  # fmt: skip
        network = base.with_hardware(module, hardware)
        program = distq.compile(ghz_circuit(), network, effort="fast", start="zero")
        timeline = schedule(program)
        calm = noisy(program, timeline=timeline, method="trajectories", shots=shots, only=still)
        real = noisy(program, timeline=timeline, method="trajectories", shots=shots)
        guess = distq.predict_fidelity(timeline, inputs="zero")
        assert calm.fidelity is not None
        assert real.fidelity is not None
        pair = "1 us" if hardware is quick else "2 ms"
        lines.append(
            f"{name + ', pairs of ' + pair:30} {program.ebits:6} {timeline.makespan * 1e3:6.3f} ms "
            f"{calm.fidelity:10.3f} {real.fidelity:8.3f}({real.fidelity_error * 1e3:.0f}) {guess.fidelity:9.3f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=12, help="of each preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worst", type=int, default=10)
    parser.add_argument("--skip-structured", action="store_true")
    parser.add_argument("--skip-ghz", action="store_true")
    arguments = parser.parse_args()
    print(f"local figures, ions: {IONS.to_dict()}\nlocal figures, transmons: {TRANSMONS.to_dict()}\n")
    found = cases(arguments.programs, arguments.seed)
    print(agreement(found, arguments.worst))
    if not arguments.skip_structured:
        print("\n" + listed("structured circuits", structured()))
    if not arguments.skip_ghz:
        print("\n" + ghz())
    return int(any(abs(c.difference) > LIMIT for c in found))


if __name__ == "__main__":
    sys.exit(main())
