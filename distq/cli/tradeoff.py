"""`distq tradeoff`: what can be had for what, in ebits, makespan and fidelity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from distq.cli.common import DistqCommand, print_json, progress
from distq.cli.compile import command as compile_command

#: Options of `distq compile` that mean the same here.
_SHARED = ("network", "modules", "data", "comm", "topology", "effort", "seed", "partitioner", "initial_homes",
           "final_homes", "pinned", "start", "outcomes_only", "without", "error_budget", "check",
           "time_limit")  # fmt: skip


@click.command(
    "tradeoff", cls=DistqCommand, short_help="Compile for several objectives and list what none of them beats."
)
@click.argument("circuit", metavar="CIRCUIT")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME|NAME=W,...",
    help="Try these objectives instead of the usual ones; may be repeated.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="N",
              help="Try so many seeds, from --seed on.")  # fmt: skip
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="FILE", help="Write the rows to FILE as well.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write a picture to FILE as well.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    circuit: str,
    objectives: tuple[str, ...],
    seeds: int,
    table: Path | None,
    svg: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile CIRCUIT for several objectives, and list the programs that no other one beats in every figure.

    The figures are ebits, the planned makespan and the predicted fidelity on the hardware of the network. Each row
    names the options with which `distq compile` gives that program.
    """
    from distq.circuit.read import load_source
    from distq.cli.homes import homes, pins
    from distq.cli.output import check_file, whole_file
    from distq.front import OBJECTIVES, tradeoff
    from distq.network.presets import resolve
    from distq.objective import Objective

    wanted = [Objective.of(x) for x in objectives or OBJECTIVES]
    for file in (table, svg):
        if file is not None:
            check_file(file, force)
    with progress(as_json) as show:
        if show:
            show("reading")
        source = load_source(circuit)
        network, modules, data, comm, topology = (options.pop(name) for name in _SHARED[:5])
        target = resolve(network, modules, data, comm, topology, source.num_qubits)
        options["initial_homes"] = homes("--initial-homes", options["initial_homes"], ("free",), source, target)
        options["final_homes"] = homes("--final-homes", options["final_homes"], ("free", "same"), source, target)
        options["pins"] = pins("--pin", options.pop("pinned"), source, target) or None
        options["verify"] = options.pop("check")
        found = tradeoff(source, target, objectives=wanted, seeds=seeds, progress=show, **options)
    for file, text in ((table, found.to_csv), (svg, found.to_svg)):
        if file is not None:
            with whole_file(file) as path:
                path.write_text(text(), "utf-8")
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found).rstrip("\n"))


command.params += [p for p in compile_command.params if p.name in _SHARED]
