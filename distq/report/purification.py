"""What purification gains and costs, as text and as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from distq.network.model import Network
from distq.network.pair_states import PurifiedPair, purified_pair
from distq.network.pairs import DEJMPS
from distq.report.schedule import time_text
from distq.report.tables import table


def purification_rows(network: Network, rounds: int = 3, protocols: Sequence[str] = (DEJMPS,)) -> list[dict[str, Any]]:
    """For every kind of link its pairs as they are made, and after each purification that could be chosen.

    Links with equal hardware between modules with equal hardware are one kind. Communication qubits that are missing do
    not matter here: `comm_qubits` says how many it takes at each end, `enough` whether all these modules have them.
    """
    from distq.schedule.purification import options

    kinds: dict[Any, list[int]] = {}
    for i, link in enumerate(network.links):
        ends = [network.modules[m] for m in network.link_ends[i].tolist()]
        kinds.setdefault((link.hardware, *(m.hardware for m in ends)), []).append(i)
    result = []
    for links in kinds.values():
        names = [(network.links[i].a, network.links[i].b) for i in links]
        comm = [network.modules[m].comm for i in links for m in network.link_ends[i].tolist()]
        raw = purified_pair(network, links[0], None)
        for purify in [None, *options(rounds, protocols)]:
            pair = purified_pair(network, links[0], purify)
            result.append(
                {
                    "links": names,
                    "protocol": purify.protocol if purify else None,
                    "scheme": purify.scheme if purify else None,
                    "rounds": purify.rounds if purify else 0,
                    "fidelity": pair.fidelity,
                    "gain": pair.fidelity - raw.fidelity,
                    "success": list(pair.success),
                    "raw_pairs": _finite(pair.raw_pairs),
                    "pair_time": _finite(pair.time),
                    "comm_qubits": pair.comm_qubits,
                    "enough": all(c is None or c >= pair.comm_qubits for c in comm),
                }
            )
    return result


def purification_text(network: Network, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table for each kind of link."""
    if not rows:
        return "there are no links"
    timed = network.timed
    parts = []
    for names in dict.fromkeys(tuple(row["links"]) for row in rows):
        a, b = names[0]
        more = f" and {len(names) - 1} more like it" if len(names) > 1 else ""
        lines = [
            (
                "-" if not row["rounds"] else f"{row['protocol']}, {row['scheme']}",
                row["rounds"],
                f"{row['fidelity']:.4f}",
                "-" if not row["rounds"] else f"{row['gain']:+.4f}",
                ", ".join(f"{p:.3f}" for p in row["success"]) or "-",
                "-" if row["raw_pairs"] is None else f"{row['raw_pairs']:.3g}",
                "never" if row["pair_time"] is None else time_text(row["pair_time"], "s") if timed else "-",
                f"{row['comm_qubits']}{'' if row['enough'] else ' (missing)'}",
            )
            for row in rows
            if tuple(row["links"]) == names
        ]
        header = ("purification", "rounds", "fidelity", "gain", "success", "raw pairs", "mean time", "comm at each end")
        parts.append(f"{a} - {b}{more}\n" + table(header, lines, right=(1, 2, 3, 5, 6)))
    return "\n".join(parts).rstrip("\n")


def comparison_text(networks: Sequence[Network], rounds: int = 3, protocols: Sequence[str] = (DEJMPS,)) -> str:
    """Fidelities of several networks in one table: a row for each kind of link, a column for each purification.

    With what the best of them costs; "-" where none gains.
    """
    lines: list[tuple[str, ...]] = []
    header: tuple[str, ...] = ()
    for network in networks:
        rows = purification_rows(network, rounds, protocols)
        for names in dict.fromkeys(tuple(row["links"]) for row in rows):
            here = [row for row in rows if tuple(row["links"]) == names]
            labels = [f"{r['rounds']} {r['scheme']}" if r["rounds"] else "raw" for r in here]
            if len(set(protocols)) > 1:
                labels = [f"{r['protocol']} {x}" if r["rounds"] else x for r, x in zip(here, labels)]
            header = ("network", *labels, "best", "raw pairs", "comm at each end")
            best = max(range(len(here)), key=lambda i: here[i]["fidelity"])
            row = here[best]
            cost = ("-", "-", "-") if best == 0 or row["gain"] < 5e-5 else (
                labels[best], f"{row['raw_pairs']:.3g}", f"{row['comm_qubits']}{'' if row['enough'] else ' (missing)'}"
            )  # fmt: skip
            lines.append((network.name or "unnamed", *(f"{r['fidelity']:.4f}" for r in here), *cost))
    return table(header, lines, right=range(1, len(header) - 3)) if lines else "there are no links"


def choice_lines(choice: Mapping[str, Any], unit: str = "s") -> list[str]:
    """What was chosen for each link and why; `choice` as `Choice.to_dict` returns it."""
    lines = []
    for link in choice["links"]:
        purify = link["purify"]
        what = "none" if purify is None else f"{purify['protocol']}, {purify['scheme']}, rounds = {purify['rounds']}"
        fidelity = link["fidelity"]
        gain = "" if purify is None else f", {fidelity['raw']:.4f} to {fidelity['purified']:.4f}"
        lines.append(f"{link['a']} - {link['b']}: {what}{gain}; {link['reason']}")
    return lines


def raw_pairs(network: Network, ebits: Sequence[int]) -> float:
    """Expected elementary pairs for so many pairs of each link that are consumed, if none expires."""
    return float(sum(n * purified_pair(network, i).raw_pairs for i, n in enumerate(ebits) if n))


def pair_kind(pair: PurifiedPair) -> str:
    """How pairs are purified, in a few words; "-": not at all."""
    if pair.purify is None:
        return "-"
    return f"{pair.purify.protocol} x{pair.purify.rounds}" + (" nested" if pair.purify.scheme == "nested" else "")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


__all__ = ["choice_lines", "comparison_text", "pair_kind", "purification_rows", "purification_text", "raw_pairs"]
