"""`distq demo`: Grover searches over modules, compiled, verified and simulated."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distq.cli.common import DistqCommand, print_json, progress, width
from distq.errors import MissingExtraError, VerificationError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.network.model import Network


@dataclass(frozen=True)
class Search:
    """One search of the demo: on `qubits` qubits for the state `marked` (a bit string, last qubit first)."""

    title: str
    qubits: int
    marked: str


PAIR = Search("Grover search on two qubits, in the shape of the Oxford experiment of 2025", 2, "11")
LARGE = Search("Grover search on five qubits, on three modules of two data qubits each", 5, "10110")


@click.command("demo", cls=DistqCommand, short_help="Compile, verify and simulate two Grover searches.")
@click.option(
    "--shots",
    type=click.IntRange(1),
    metavar="N",
    default=1000,
    show_default=True,
    help="Runs of each simulation.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of compiler and simulator.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
def command(shots: int, seed: int, as_json: bool) -> None:
    """Compile two Grover searches, verify and simulate the programs without noise, and show everything.

    The first runs on two modules with one data and one communication qubit each, as in the experiment of
    Main et al. (Nature 638, 383, 2025); the second on three modules.
    """
    from importlib.util import find_spec

    if find_spec("qiskit_aer") is None:
        raise MissingExtraError("qiskit-aer", "sim", "the simulation at the end of the demo")
    from distq.network.model import Network
    from distq.network.presets import preset

    begin = time.perf_counter()
    results = []
    for search, network in ((PAIR, preset("oxford-2025")), (LARGE, Network.all_to_all(3, data=2, comm=3))):
        results.append(_run(search, network, shots, seed, quiet=as_json))
    if as_json:
        print_json({"schema": "distq-demo/1", "searches": results})
    else:
        click.echo(f"Both programs are verified and were simulated; {time.perf_counter() - begin:.0f} s in all.")


def _run(search: Search, network: Network, shots: int, seed: int, quiet: bool) -> dict[str, Any]:
    """Compile, verify and simulate one search, and print it unless `quiet`."""
    import distq
    from distq.report.timeline import network_picture, timeline
    from distq.simulate.run import run, success_probability
    from distq.verify import verify as verify_program

    circuit = grover(search.qubits, search.marked)
    say = (lambda text="": None) if quiet else click.echo
    say(f"== {search.title} ==\n")
    say(f"{network_picture(network).rstrip()}\n")
    with progress(quiet) as show:
        # The gates of the circuit as they are: on two qubits, resynthesis and measuring early leave none to teleport.
        program = distq.compile(circuit, network, seed=seed, without=("resynthesis",), progress=show)
        if show:
            show("verifying")
        with tempfile.TemporaryDirectory() as directory:
            program.save(Path(directory) / "program")
            verdict = verify_program(circuit, Path(directory) / "program", method="auto")
        if not verdict.ok:
            raise VerificationError(f"the program of the demo is wrong: {verdict.message}")
        if show:
            show("simulating")
        counts = run(program, shots=shots, seed=seed)
    success, error = success_probability(counts, search.marked)
    ideal = ideal_success(circuit, search.marked)
    form = "detailed" if search.qubits == 2 else "summary"
    say(f"{timeline(program, width(), form=form).rstrip()}\n")
    say(f"{program.summary().rstrip()}\n")
    say(f"verified             {verdict.method}, {verdict.seconds:.2g} s, read back from the files")
    measured = f"{success:.4f} +- {error:.4f}"
    say(f"success probability  {measured} (the distributed program, {shots} noiseless shots)")
    say(f"                     {ideal:.4f} (ideal, the circuit on one device)\n")
    return {
        "title": search.title,
        "marked": search.marked,
        "shots": shots,
        "success": success,
        "standard_error": error,
        "ideal": ideal,
        "verified": {"method": verdict.method, "ok": verdict.ok, "seconds": verdict.seconds},
        "program": program.to_dict(),
    }


def grover(num_qubits: int, marked: str) -> QuantumCircuit:
    """Grover's search for one marked state among 2**num_qubits, with the best number of iterations, measured.

    Args:
        num_qubits: at least two.
        marked: the bit string to find, last qubit first, as Qiskit prints counts.

    References:
        L. K. Grover, arXiv:quant-ph/9605043.
    """
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(num_qubits, num_qubits, name=f"grover{num_qubits}")
    qubits = list(range(num_qubits))
    zeros = [q for q in qubits if marked[num_qubits - 1 - q] == "0"]
    circuit.h(qubits)
    for _ in range(iterations(num_qubits)):
        if zeros:
            circuit.x(zeros)
        circuit.mcp(math.pi, qubits[:-1], qubits[-1])
        if zeros:
            circuit.x(zeros)
        circuit.h(qubits)
        circuit.x(qubits)
        circuit.mcp(math.pi, qubits[:-1], qubits[-1])
        circuit.x(qubits)
        circuit.h(qubits)
    circuit.measure(qubits, qubits)
    return circuit


def iterations(num_qubits: int) -> int:
    """The number of Grover iterations that comes closest to certainty for one marked state."""
    angle = math.asin(2 ** (-num_qubits / 2))
    return max(1, round(math.pi / (4 * angle) - 0.5))


def ideal_success(circuit: QuantumCircuit, marked: str) -> float:
    """Probability that the circuit itself measures `marked` (exact)."""
    from qiskit.quantum_info import Statevector

    state = Statevector(circuit.remove_final_measurements(inplace=False))
    return float(state.probabilities_dict().get(marked, 0.0))
