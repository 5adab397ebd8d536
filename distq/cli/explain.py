"""`distq explain`: why a program needs its Bell pairs."""

from __future__ import annotations

from pathlib import Path

import click

from distq.cli.common import DistqCommand, print_json, width


@click.command(
    "explain", cls=DistqCommand, short_help="Say what each Bell pair of a program is for, and what it saved."
)
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Packets, moves and exchanges shown; default 20.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; without --top it holds everything.")
def command(directory: Path, top: int | None, as_json: bool) -> None:
    """Say for each link, packet and move of the program in DIR why it exists and what it saved.

    Every Bell pair is counted once: for a copy of a packet, for a move of a qubit, or for an exchange of two qubits;
    the biggest spenders come first. A copy saves one ebit for each gate that it serves, less the pairs that it cost. A
    move saves what the packets from there up to the next move of its qubit would cost more, had it stayed, less the
    move.
    """
    import distq
    from distq.report.explain import explain

    found = explain(distq.load(directory), str(directory))
    if as_json:
        print_json(found.to_dict(top))
        return
    from distq.report.explain_text import TOP, explain_text

    click.echo(explain_text(found, width(), top or TOP).rstrip("\n"))
