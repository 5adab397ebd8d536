"""`distq demo`: Grover searches over modules, or the Oxford experiment, compiled, verified and simulated."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distq.cli.common import DistqCommand, print_json, progress, width
from distq.errors import MissingExtraError, UsageError, VerificationError
from distq.experiments.grover import grover, ideal_success

if TYPE_CHECKING:
    from distq.network.model import Network


@dataclass(frozen=True)
class Search:
    """One search of the demo: on `qubits` qubits for the state `marked` (a bit string, last qubit first)."""

    title: str
    qubits: int
    marked: str


PAIR = Search("Grover search on two qubits, in the shape of the Oxford experiment of 2025", 2, "11")
#: Runs of each simulation of a search.
DEFAULT_SHOTS = 1000
LARGE = Search("Grover search on five qubits, on three modules of two data qubits each", 5, "10110")


@click.command("demo", cls=DistqCommand, short_help="Two Grover searches, or the Oxford experiment.")
@click.option(
    "--oxford",
    "experiment",
    is_flag=True,
    help="Instead of the searches: the programs of the Oxford experiment with noise, beside its published figures.",
)
@click.option(
    "--shots",
    type=click.IntRange(1),
    metavar="N",
    help="Runs of each simulation of a search; default 1000.",
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
def command(experiment: bool, shots: int | None, seed: int, as_json: bool) -> None:
    """Compile two Grover searches, verify and simulate the programs without noise, and show everything.

    The first runs on two modules with one data and one communication qubit each, as in the experiment of
    Main et al. (Nature 638, 383, 2025); the second on three modules.

    With --oxford the programs of that experiment (CZ, Grover search, iSWAP, SWAP) are compiled as they were run there,
    and as the compiler would. One parameter is fitted, to the CZ; what the others give is printed beside the published
    figures, with an error budget. Nothing is sampled.
    """
    if experiment and shots is not None:
        raise UsageError(
            "--shots and --oxford exclude each other: nothing is sampled with --oxford, so leave --shots out"
        )
    from importlib.util import find_spec

    if find_spec("qiskit_aer") is None:
        raise MissingExtraError("qiskit-aer", "sim", "the simulation at the end of the demo")
    if experiment:
        _oxford(seed, as_json)
        return
    from distq.network.model import Network
    from distq.network.presets import preset

    begin = time.perf_counter()
    results = []
    for search, network in ((PAIR, preset("oxford-2025")), (LARGE, Network.all_to_all(3, data=2, comm=3))):
        results.append(_run(search, network, shots or DEFAULT_SHOTS, seed, quiet=as_json))
    if as_json:
        print_json({"schema": "distq-demo/1", "searches": results})
    else:
        click.echo(f"Both programs are verified and were simulated; {time.perf_counter() - begin:.0f} s in all.")


def _oxford(seed: int, as_json: bool) -> None:
    """Print the comparison with the Oxford experiment."""
    from distq.experiments.oxford import oxford
    from distq.report.oxford import oxford_text

    with progress(as_json) as show:
        found = oxford(seed, progress=show)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(oxford_text(found).rstrip("\n"))


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
