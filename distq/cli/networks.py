"""`distq networks`: the networks that come with distq, and network files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from distq.cli.common import DistqCommand, print_json
from distq.errors import UsageError
from distq.network.purify import PROTOCOLS

if TYPE_CHECKING:
    from distq.network.model import Network


class _Group(click.Group):
    """A group that answers an unknown subcommand with the list of the valid ones."""

    command_class = DistqCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands in the order in which they are defined."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand that `args` name."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            valid = ", ".join(self.commands)
            raise click.UsageError(f"there is no command {args[0]!r} of networks; there are {valid}", ctx)
        return super().resolve_command(ctx, args)


@click.group("networks", cls=_Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and check networks: presets and files."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_presets(as_json: bool) -> None:
    """List the presets."""
    from distq.network.presets import preset, preset_names

    networks = {name: preset(name) for name in preset_names()}
    if as_json:
        print_json({"presets": {name: network.to_dict() for name, network in networks.items()}})
        return
    longest = max(map(len, networks), default=0)
    for name, network in networks.items():
        click.echo(f"{name:{longest}}  {shape(network)}")


@command.command("show")
@click.argument("network", metavar="FILE|PRESET")
@click.option("--json", "as_json", is_flag=True, help="Print the network as in a JSON network file.")
def show(network: str, as_json: bool) -> None:
    """Draw a network and say where its figures come from."""
    from distq.network.presets import resolve
    from distq.report.timeline import network_picture

    found = resolve(network)
    if as_json:
        print_json(found.to_dict())
        return
    click.echo(network_picture(found).rstrip("\n"))
    for text in (found.description, found.source and f"Source: {found.source}"):
        if text:
            click.echo(f"\n{text}")


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a network file; exit code 3 if it is not valid."""
    from distq.network.files import load_network

    click.echo(f"{file}: {shape(load_network(file))}")


@command.command("purify")
@click.argument("networks", metavar="FILE|PRESET...", nargs=-1, required=True)
@click.option("--rounds", type=click.IntRange(1, 10), default=3, show_default=True, metavar="N", help="At most.")
@click.option("--protocol", "protocols", multiple=True, type=click.Choice(PROTOCOLS), default=("dejmps",),
              show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def purify(networks: tuple[str, ...], rounds: int, protocols: tuple[str, ...], as_json: bool) -> None:
    """What purification would gain and cost on each kind of link: fidelity, pairs, time, communication qubits.

    With the errors, memories and times that the networks state; what is not stated is perfect and takes no time.
    Several networks are compared in one table.
    """
    from distq.network.presets import resolve
    from distq.report.purification import comparison_text, purification_rows, purification_text

    found = [resolve(network) for network in networks]
    chosen = tuple(dict.fromkeys(protocols))
    if as_json:
        content = [{"network": x.name, "rows": purification_rows(x, rounds, chosen)} for x in found]
        print_json({"schema": "distq-purify-1", "networks": content})
    elif len(found) == 1:
        click.echo(purification_text(found[0], purification_rows(found[0], rounds, chosen)))
    else:
        click.echo(comparison_text(found, rounds, chosen).rstrip("\n"))


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of network files."""
    from distq.network.files import network_schema

    print_json(network_schema())


@command.command("write")
@click.argument("network", metavar="FILE|PRESET")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def write(network: str, file: Path, force: bool) -> None:
    """Write a network to FILE (.toml or .json), for example a preset as a start for your own."""
    from distq.network.files import save_network
    from distq.network.presets import resolve

    found = resolve(network)
    if file.suffix.lower() not in (".toml", ".json"):
        raise UsageError(f"{file}: the name of a network file ends in .toml or .json")
    if file.exists() and not force:
        raise UsageError(f"{file} exists already: give another name, or --force to replace it")
    save_network(found, file)


def shape(network: Network) -> str:
    """One line about the size of a network."""
    count, links = network.num_modules, len(network.links)
    data = _range([m.data for m in network.modules])
    comm = _range([m.comm for m in network.modules])
    joined = "" if network.connected else ", not connected"
    return (
        f"{count} module{'s' * (count != 1)}, {links} link{'s' * (links != 1)}{joined}; "
        f"each module: data {data}, communication {comm}"
    )


def _range(values: list[int | None] | list[int]) -> str:
    numbers = sorted({v for v in values if v is not None})
    parts = [] if not numbers else [str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"]
    return " or ".join(parts + ["unlimited"] * (None in values))
