"""`distq export`: a program as one file for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from distq.cli.common import DistqCommand, progress
from distq.cli.output import check_file, whole_file
from distq.errors import InputError

FORMATS = ("qiskit-qpy", "qasm3")


@click.command("export", cls=DistqCommand, short_help="Write a program as one QPY or OpenQASM 3 file.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="qiskit-qpy: QPY; qasm3: OpenQASM 3.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(directory: Path, form: str, output: Path, force: bool) -> None:
    """Write the program in DIR as one dynamic circuit over all modules, as `to_qiskit()` returns it."""
    import distq

    check_file(output, force)
    program = distq.load(directory)
    with progress() as show:
        if show:
            show(f"exporting {form}")
        circuit = program.to_qiskit()
        with whole_file(output) as temporary:
            if form == "qiskit-qpy":
                from qiskit import qpy

                with temporary.open("wb") as file:
                    qpy.dump(circuit, file)
            else:
                from qiskit import qasm3

                try:
                    text = qasm3.dumps(circuit)
                except qasm3.QASM3ExporterError as error:
                    raise InputError(f"{directory} cannot be written as OpenQASM 3: {error}") from None
                temporary.write_text(text, encoding="utf-8")
