"""`distq run`: simulate a program, without noise or with that of its hardware."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from distq.cli.common import DistqCommand, print_json
from distq.errors import UsageError


@click.command("run", cls=DistqCommand, short_help="Simulate a program and print the counts.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--shots",
    type=click.IntRange(1),
    metavar="N",
    default=1024,
    show_default=True,
    help="How often to run it.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", default=0, show_default=True, help="Seed of the simulator."
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of an unbound parameter [rad]; may be repeated.",
)
@click.option("--noise", is_flag=True, help="With the noise of the hardware, on the timeline of `distq schedule`.")
@click.option(
    "--method",
    type=click.Choice(("auto", "density_matrix", "trajectories", "stabilizer")),
    default="auto",
    show_default=True,
    help="With --noise: exact density matrices, random trajectories, or stabilizers with twirled noise.",
)
@click.option("--network", metavar="FILE|PRESET", help="With --noise: take the hardware of this network.")
@click.option("--reference", is_flag=True, help="With --noise: compare as a process, not as what becomes of |0...0>.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    directory: Path,
    shots: int,
    seed: int,
    parameters: tuple[str, ...],
    noise: bool,
    method: str,
    network: str | None,
    reference: bool,
    as_json: bool,
) -> None:
    """Simulate the joined program in DIR on Qiskit Aer, starting from |0...0>, and print the counts.

    A line of the output is a bit string of the input circuit's classical bits (the last bit first, registers
    separated by a space, as Qiskit writes them) and how often it occurred.

    With --noise every operation, pair and wait makes the errors of the hardware, and the result stands beside the
    ideal: fidelity of the output state, or the distribution of the outcomes.
    """
    import distq
    from distq.simulate.run import run

    if noise:
        _noisy(directory, network, as_json, method=method, shots=shots, seed=seed, reference=reference,
               parameters=_values(parameters))  # fmt: skip
        return
    for name, given in (("--network", network), ("--reference", reference), ("--method", method != "auto")):
        if given:
            raise UsageError(f"{name} belongs to noisy runs: add --noise")
    counts = run(distq.load(directory), shots=shots, seed=seed, parameters=_values(parameters))
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    if as_json:
        print_json({"shots": shots, "seed": seed, "counts": ordered})
        return
    for bits, number in ordered.items():
        click.echo(f"{bits} {number}")


def _noisy(directory: Path, network: str | None, as_json: bool, **options: Any) -> None:
    import distq
    from distq.network.presets import resolve
    from distq.report.fidelity import noisy_text
    from distq.simulate.noisy import noisy

    other = resolve(network=network) if network is not None else None
    result = noisy(distq.load(directory), other, **options)
    if as_json:
        print_json({"schema": "distq-noisy-1", **result.to_dict()})
    else:
        click.echo(noisy_text(result))


def _values(texts: tuple[str, ...]) -> dict[str, float]:
    """Parameters by name from texts like "theta=0.5"."""
    values: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name.strip() or not math.isfinite(number):
            raise UsageError(f"--parameter {text!r} cannot be read: write NAME=VALUE with a number, as in theta=0.5")
        values[name.strip()] = number
    return values
