"""Faults in the witnesses of the manifest. The program stays right, except where a false witness covers for a gate.

What a witness says does not change what the program does, so a mutant that is refused counts as `strict`; the last
kind, in which program and witness tell the same lie, is the one that a verifier must not believe.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

from distq.testing.directory_faults import Change, Directory, text_fault

_ANGLE = re.compile(r"\((-?[\d.]+(?:e-?\d+)?)\)")


def _blocks(d: Directory) -> list[dict[str, Any]]:
    return list(d.manifest.get("blocks") or [])


def _some(d: Directory, rng: random.Random) -> tuple[int, dict[str, Any]] | None:
    """A block and its number."""
    blocks = _blocks(d)
    if not blocks:
        return None
    number = rng.randrange(len(blocks))
    return number, blocks[number]


@text_fault("witness of another instruction")
def _instruction(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _some(d, rng)
    if chosen is None or not chosen[1]["of"]:
        return None
    number, block = chosen
    i, step = rng.randrange(len(block["of"])), rng.choice((-1, 1))
    if isinstance(block["of"][i], list):
        block["of"][i][-1] += step
    else:
        block["of"][i] += step
    return f"block {number} is of {block['of']}", False


@text_fault("witness with an instruction more or less")
def _count(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _some(d, rng)
    if chosen is None or not chosen[1]["of"]:
        return None
    number, block = chosen
    if rng.random() < 0.5:
        block["of"].pop(rng.randrange(len(block["of"])))
    else:
        block["of"].append(rng.randrange(20))
    return f"block {number} is of {block['of']}", False


@text_fault("witness with another gate")
def _gate(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _some(d, rng)
    if chosen is None or not chosen[1]["is"]:
        return None
    number, block = chosen
    lines, i = block["is"], rng.randrange(len(block["is"]))
    old = lines[i]
    kind = rng.randrange(4)
    if kind == 0:
        lines.pop(i)
    elif kind == 1:
        lines.insert(i, lines[rng.randrange(len(lines))])
    elif kind == 2:
        j = rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    else:
        at = rng.choice([m.start() for m in re.finditer(r"\d", old)])
        lines[i] = old[:at] + str((int(old[at]) + 1) % 10) + old[at + 1 :]
    return f"block {number}: line {i} {old!r} changed, now {len(lines)} lines", False


@text_fault("witness that renames other wires")
def _renames(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """A SWAP at the end of a block left out, repeated, or on another wire."""
    swaps = [(n, i) for n, b in enumerate(_blocks(d)) for i, line in enumerate(b["is"]) if line.startswith("swap")]
    if not swaps:
        return None
    number, i = rng.choice(swaps)
    lines = _blocks(d)[number]["is"]
    old = lines[i]
    kind = rng.randrange(3)
    if kind == 0:
        lines.pop(i)
    elif kind == 1:
        lines.insert(i, old)
    else:
        a, b = (int(q) for q in re.findall(r"\d+", old))
        rest = [q for q in range(int(d.manifest["circuit"]["qubits"])) if q not in (a, b)]
        if not rest:
            return None
        lines[i] = f"swap q[{a}], q[{rng.choice(rest)}];"
    return f"block {number}: {old!r} changed, now {len(lines)} lines", False


@text_fault("witness dropped")
def _dropped(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _some(d, rng)
    if chosen is None:
        return None
    del d.manifest["blocks"][chosen[0]]
    return f"block {chosen[0]} dropped", False


@text_fault("witness repeated")
def _repeated(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _some(d, rng)
    if chosen is None:
        return None
    d.manifest["blocks"].append(chosen[1])
    return f"block {chosen[0]} twice", False


@text_fault("witnesses exchanged")
def _exchanged(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    blocks = _blocks(d)
    pairs = [(a, b) for a in range(len(blocks)) for b in range(a) if blocks[a]["is"] != blocks[b]["is"]]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    blocks[a]["is"], blocks[b]["is"] = blocks[b]["is"], blocks[a]["is"]
    return f"blocks {a} and {b} exchange their gates", False


@text_fault("witness invented")
def _invented(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Some instruction is said to be nothing, or a gate that it hardly is."""
    qubits = int(d.manifest["circuit"]["qubits"])
    if qubits < 2:
        return None
    a, b = rng.sample(range(qubits), 2)
    lines = rng.choice(([], [f"cz q[{a}], q[{b}];"], [f"rzz(0.3) q[{a}], q[{b}];"], [f"swap q[{a}], q[{b}];"]))
    block = {"of": [rng.randrange(12)], "is": lines}
    d.manifest.setdefault("blocks", []).append(block)
    return f"the block {block} added", False


@text_fault("gate changed together with its witness")
def _lie(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """An angle of the program and of a witness change alike, so that the program fits the witness as before."""
    angles = {found for block in _blocks(d) for line in block["is"] for found in _ANGLE.findall(line)}
    places = [(m, i) for m, i in d.matching(_ANGLE.pattern) if set(_ANGLE.findall(d.lines[m][i])) & angles]
    if not places:
        return None
    module, i = rng.choice(places)
    old = rng.choice(sorted(set(_ANGLE.findall(d.lines[module][i])) & angles))
    new = repr(float(old) + rng.choice((0.1, -0.1, 0.5)))
    d.lines[module][i] = d.lines[module][i].replace(f"({old})", f"({new})")
    for block in _blocks(d):
        block["is"] = [line.replace(f"({old})", f"({new})") for line in block["is"]]
    return f"{d.names[module]}: line {i + 1} and all witnesses have {new} for {old}", False
