"""`distq compile`: a circuit goes in, a verified distributed program comes out."""

from __future__ import annotations

import time
from pathlib import Path

import click

from distq.cli.common import DistqCommand, print_json, progress
from distq.prepare import EFFORTS, STARTS, VERIFY_METHODS
from distq.purified import PURIFY
from distq.rewrite.passes import NAMES


@click.command("compile", cls=DistqCommand, short_help="Compile a circuit for a network and verify the program.")
@click.argument("circuit", metavar="CIRCUIT")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory to write; without it only the summary is printed.",
)
@click.option("--network", metavar="FILE|PRESET", help="A network file (.toml, .json) or the name of a preset.")
@click.option("--modules", metavar="K", help="Instead of --network: K equal modules.")
@click.option("--data", metavar="N[,N...]", help="Data qubits of each module; default ceil(qubits / K).")
@click.option("--comm", metavar="N[,N...]", help="Communication qubits of each module, or 'unlimited'; default 2.")
@click.option(
    "--topology",
    metavar="NAME",
    help="How the modules are linked: all-to-all (default), line, ring, grid, star, tree.",
)
@click.option("--effort", type=click.Choice(EFFORTS), default="default", show_default=True, help="How long to search.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of all random choices.",
)
@click.option("--partitioner", default="auto", show_default=True, metavar="NAME", help="A registered partitioner.")
@click.option("--initial-homes", metavar="free|FILE|Q=M,...", help="Where qubits start; default free.")
@click.option("--final-homes", metavar="free|same|FILE|Q=M,...", help="Where qubits end; default free.")
@click.option(
    "--pin",
    "pinned",
    multiple=True,
    metavar="Q=MODULE",
    help="Keep a qubit in a module all the time; may be repeated.",
)
@click.option(
    "--start",
    type=click.Choice(STARTS),
    default="any",
    show_default=True,
    help="Promise that all qubits start in |0> (zero).",
)
@click.option("--outcomes-only", is_flag=True, help="Preserve measured outcomes only, not the state that is left.")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(NAMES),
    metavar="NAME",
    help=f"Switch a technique off; may be repeated: {', '.join(NAMES)}.",
)
@click.option(
    "--error-budget",
    type=float,
    default=1e-9,
    show_default=True,
    metavar="E",
    help="Leave out small rotations while the operator-norm error stays within E.",
)
@click.option("--no-mapping", is_flag=True, help="Compile as if the modules had no coupling maps.")
@click.option(
    "--objective",
    default="ebits",
    show_default=True,
    metavar="NAME|NAME=W,...",
    help="What the plan should be good at: ebits, makespan, fidelity, or weights such as ebits=1,makespan=2.",
)
@click.option(
    "--verify",
    "check",
    type=click.Choice(VERIFY_METHODS),
    default="symbolic",
    show_default=True,
    help="How to verify the result.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End the search early with the best found, as the first Ctrl-C does.",
)
@click.option(
    "--purify",
    type=click.Choice(PURIFY),
    default="stated",
    show_default=True,
    help="Purification of pairs: as the network says, none, or as the predicted fidelity asks for (auto).",
)
@click.option(
    "--min-pair-fidelity",
    type=click.FloatRange(0.25, 1),
    metavar="F",
    help="Purify until every pair that is used is at least so good.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--force", is_flag=True, help="Replace DIR if it holds a program of distq.")
def command(
    circuit: str,
    output: Path | None,
    network: str | None,
    modules: str | None,
    data: str | None,
    comm: str | None,
    topology: str | None,
    effort: str,
    seed: int,
    partitioner: str,
    initial_homes: str | None,
    final_homes: str | None,
    pinned: tuple[str, ...],
    start: str,
    outcomes_only: bool,
    without: tuple[str, ...],
    error_budget: float,
    no_mapping: bool,
    objective: str,
    check: str,
    time_limit: float | None,
    purify: str,
    min_pair_fidelity: float | None,
    as_json: bool,
    force: bool,
) -> None:
    """Compile CIRCUIT for a network of modules, verify the program and write it to DIR.

    CIRCUIT is a file in OpenQASM 2 or 3 or QPY, or - for standard input. A qubit Q is a number among all
    qubits of the circuit or register[number].

    An empty or new DIR is written; one that holds a program is replaced with --force only; one that holds
    anything else is never replaced. DIR appears whole or not at all.
    """
    if output is not None:
        from distq.cli.output import check_directory

        check_directory(output, force)
    import distq
    from distq.circuit.read import load_source
    from distq.cli.homes import homes, pins
    from distq.network.presets import resolve
    from distq.objective import Objective

    wanted = Objective.of(objective)
    with progress(as_json) as show:
        if show:
            show("reading")
        begin = time.perf_counter()
        source = load_source(circuit)
        seconds = time.perf_counter() - begin
        target = resolve(network, modules, data, comm, topology, source.num_qubits)
        program = distq.compile(
            source,
            target,
            effort=effort,
            seed=seed,
            partitioner=partitioner,
            initial_homes=homes("--initial-homes", initial_homes, ("free",), source, target),
            final_homes=homes("--final-homes", final_homes, ("free", "same"), source, target),
            pins=pins("--pin", pinned, source, target) or None,
            start=start,
            outcomes_only=outcomes_only,
            without=without,
            error_budget=error_budget,
            mapping=not no_mapping,
            objective=wanted,
            verify=check,
            time_limit=time_limit,
            purify=purify,
            min_pair_fidelity=min_pair_fidelity,
            progress=show,
        )
        program.stats["seconds"]["read"] += seconds  # parsing was done here, before the network was known
        if output is not None:
            if show:
                show("writing")
            program.save(output)
    if as_json:
        print_json(program.to_dict())
        return
    click.echo(program.summary().rstrip("\n"))
    if output is not None:
        click.echo(f"written to {output}")
