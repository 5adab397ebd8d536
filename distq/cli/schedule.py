"""`distq schedule`: how long a program takes on the hardware of its network."""

from __future__ import annotations

from pathlib import Path

import click

from distq.cli.common import DistqCommand, print_json, progress


@click.command("schedule", cls=DistqCommand, short_help="Schedule a program on the hardware of its network.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--network",
    metavar="FILE|PRESET",
    help="Take the hardware of this network, which has the modules and links that the program uses, in the same order.",
)
@click.option("--samples", type=click.IntRange(0), default=1000, show_default=True, metavar="N",
              help="Replays with random times of pairs; 0: none.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of the random times.")
@click.option("--no-frames", is_flag=True, help="Carry out every correction where it stands, instead of tracking it.")
@click.option("--circuit", type=click.Path(path_type=str), metavar="CIRCUIT",
              help="The source; for the bound that holds for every plan.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    directory: Path,
    network: str | None,
    samples: int,
    seed: int,
    no_frames: bool,
    circuit: str | None,
    as_json: bool,
) -> None:
    """Schedule the program in DIR: makespan, bounds, use of modules and links, critical path, predicted fidelity.

    Where the network states no time, every operation and every pair takes one unit and messages none. Beside the
    makespan stand those of the same program when pairs are requested on demand, and when there is one pair at a time.
    """
    import distq
    from distq.network.presets import resolve
    from distq.report.schedule import schedule_text, timeline_dict
    from distq.schedule.bounds import every_plan_bound
    from distq.schedule.plan import schedule

    program = distq.load(directory)
    other = resolve(network=network) if network is not None else None
    frames = not no_frames
    with progress(as_json) as show:
        if show:
            show("scheduling")
        timeline = schedule(program, other, frames=frames)
        baselines = {
            "on demand": schedule(program, other, policy="on-demand", frames=frames).makespan,
            "one at a time": schedule(program, other, policy="one-at-a-time", frames=frames).makespan,
        }
        found = timeline.distribution(samples, seed) if samples else None
        fidelity = timeline.fidelity
    every_plan = None
    if circuit is not None:
        from distq.circuit.from_qiskit import from_qiskit
        from distq.circuit.read import load_source
        from distq.pipeline import normalise
        from distq.rewrite.passes import NAMES

        stats = program.stats
        on = stats.get("techniques", {}).get("rewrites", NAMES)
        _, logical, _ = normalise(
            from_qiskit(load_source(circuit)),
            program.network,
            start=stats.get("start", "any"),
            outcomes_only=stats.get("outcomes_only", False),
            without=[name for name in NAMES if name not in on],
            error_budget=stats.get("error_bound", 0.0),
        )
        every_plan = every_plan_bound(logical, other or program.network, frames=frames)
    if not as_json:
        click.echo(schedule_text(timeline, baselines, found, every_plan, fidelity))
        return
    result = {"schema": "distq-schedule-1", **timeline_dict(timeline)}
    result["bounds"]["B2"] = every_plan
    result["baselines"] = {key.replace(" ", "-"): value for key, value in baselines.items()}
    result["fidelity"] = fidelity.to_dict()
    result["distribution"] = found.to_dict() if found else None
    print_json(result)
