"""`distq verify`: is the program in a directory the circuit in a file?"""

from __future__ import annotations

from pathlib import Path

import click

from distq.cli.common import VERIFY_METHODS, DistqCommand, print_json, progress


@click.command(
    "verify",
    cls=DistqCommand,
    short_help="Verify that a program computes a circuit.",
    epilog="Methods: symbolic replays the protocols and works at any size; statevector compares the action on "
    "quantum states and is for small circuits; stabilizer is for Clifford circuits; auto is symbolic, and "
    "statevector as well where the circuit is small enough.",
)
@click.argument("circuit", type=click.Path(path_type=str), metavar="CIRCUIT")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--method", type=click.Choice(VERIFY_METHODS), default="auto", show_default=True, help="How to verify.")
@click.option(
    "--start",
    type=click.Choice(("any", "zero")),
    default="any",
    show_default=True,
    help="Verify for any input state, or for qubits that start in |0> only.",
)
@click.option("--outcomes-only", is_flag=True, help="Verify measured outcomes only, not the state that is left.")
@click.option(
    "--error-budget",
    type=float,
    default=1e-9,
    show_default=True,
    metavar="E",
    help="Accept that small rotations are left out while the operator-norm error stays within E.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
def command(
    circuit: str,
    directory: Path,
    method: str,
    start: str,
    outcomes_only: bool,
    error_budget: float,
    as_json: bool,
) -> None:
    """Verify that the program in DIR computes CIRCUIT, whatever the input state.

    CIRCUIT is the source (OpenQASM 2 or 3, QPY, or - for standard input), DIR what `distq compile` wrote.
    Exit code 5 says that the program is wrong.
    """
    from distq.errors import VerificationError
    from distq.verify import verify as verify_program

    with progress(as_json) as show:
        if show:
            show("verifying")
        result = verify_program(
            circuit, directory, method=method, start=start, outcomes_only=outcomes_only, error_budget=error_budget
        )
    if as_json:
        print_json(result.to_dict())
    elif result.ok:
        click.echo(f"verified: {result.method}, {result.seconds:.3g} s")
    if not result.ok:
        source = "standard input" if circuit == "-" else circuit
        raise VerificationError(f"{directory} does not compute {source}: {result.message}")
