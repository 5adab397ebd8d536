"""`distq show`: what a program is made of, as text."""

from __future__ import annotations

from pathlib import Path

import click

from distq.cli.common import DistqCommand, print_json, width
from distq.cli.output import check_file, whole_file

FORMS = ("auto", "detailed", "summary")


@click.command("show", cls=DistqCommand, short_help="Show a program: network, figures, timeline.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, as `compile --json` does.")
@click.option(
    "--width",
    "columns",
    type=click.IntRange(40),
    metavar="N",
    help="Columns to draw in; default those of the terminal.",
)
@click.option(
    "--timeline",
    "form",
    type=click.Choice(FORMS),
    default="auto",
    show_default=True,
    help="detailed: a lane for each qubit; summary: how busy everything is; auto: detailed where it is short.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the schedule on the network's hardware as a Gantt chart to FILE (as --timeline says) and nothing else.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(directory: Path, as_json: bool, columns: int | None, form: str, svg: Path | None, force: bool) -> None:
    """Show the program in DIR: network, figures, a table of the modules, and the timeline."""
    import distq

    if svg is not None:
        check_file(svg, force)
    program = distq.load(directory)
    if svg is not None:
        from distq.report.gantt import gantt
        from distq.schedule.plan import schedule

        picture = gantt(schedule(program), form)
        with whole_file(svg) as path:
            path.write_text(picture, "utf-8")
        return
    if as_json:
        print_json(program.to_dict())
        return
    from distq.report.timeline import network_picture, timeline

    for part in (network_picture(program.network), program.summary(), timeline(program, columns or width(), form=form)):
        click.echo(part.rstrip("\n"))
        click.echo()
