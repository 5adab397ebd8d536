"""Whether purification has the communication qubits that it needs beside those of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distq.verify.reader import ProgramFiles


def lack_of_spare(files: ProgramFiles) -> str | None:
    """What is wrong, or None.

    While a pair of a purified link is made, its halves are on the qubits that the program names, and one more pair
    ("pumping"), or as many as there are rounds ("nested"), is on others, which no module file may use.
    """
    manifest = files.manifest
    more = [0] * len(manifest.modules)
    used_links = {pair.link for pair in manifest.pairs}
    for number, link in enumerate(manifest.raw["network"]["links"]):
        size = _spare(link)
        for module in manifest.links[number] if size and number in used_links else ():
            more[module] = max(more[module], size)
    if not any(more):
        return None
    named = {q for qubits in files.qubits for q in qubits} | set(files.inputs) | set(files.outputs)
    for i, entry in enumerate(manifest.modules):
        count = sum(1 for q in named if files.qubit_comm[q] and files.qubit_module[q] == i)
        if more[i] and entry.comm_limit is not None and count + more[i] > entry.comm_limit:
            return (
                f"Module {entry.name!r} uses {count} communication qubits, and purification of its pairs {more[i]} "
                f"more, but the network gives it {entry.comm_limit}."
            )
    return None


def _spare(link: Any) -> int:
    hardware = link.get("hardware") if isinstance(link, dict) else None
    purify = hardware.get("purify") if isinstance(hardware, dict) else None
    if not isinstance(purify, dict):
        return 0
    rounds = purify.get("rounds")
    nested = purify.get("scheme", "pumping") == "nested"
    if not isinstance(rounds, (int, float)) or rounds < 1:
        return 0
    return int(rounds) if nested else 1
