"""`distq run`: simulate a program without noise and print the counts."""

from __future__ import annotations

import math
from pathlib import Path

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
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def command(directory: Path, shots: int, seed: int, parameters: tuple[str, ...], as_json: bool) -> None:
    """Simulate the joined program in DIR on Qiskit Aer, starting from |0...0>, and print the counts.

    A line of the output is a bit string of the input circuit's classical bits (the last bit first, registers
    separated by a space, as Qiskit writes them) and how often it occurred.
    """
    import distq
    from distq.simulate.run import run

    counts = run(distq.load(directory), shots=shots, seed=seed, parameters=_values(parameters))
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    if as_json:
        print_json({"shots": shots, "seed": seed, "counts": ordered})
        return
    for bits, number in ordered.items():
        click.echo(f"{bits} {number}")


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
