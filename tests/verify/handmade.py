"""Writes small program directories by hand, as docs/design.md describes them: no compiler is involved."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

DEFINITIONS = {
    "epr": "gate epr(pair) a { }",
    "sxdg": "gate sxdg a { s a; h a; s a; }",
    "rzz": "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
    "parity3": "gate parity3(t) a, b, c { cx a, b; cx b, c; rz(t) c; cx b, c; cx a, b; }",
    "parity4": "gate parity4(t) a, b, c, d { cx a, b; cx b, c; cx c, d; rz(t) d; cx c, d; cx b, c; cx a, b; }",
}


class Handmade:
    """A program under construction: lines per module, pairs, messages and the rest of the manifest."""

    def __init__(self, sizes: list[tuple[int, int]], links: list[tuple[int, int]] | None = None) -> None:
        k = len(sizes)
        self.sizes = sizes
        self.limits = list(sizes)
        self.links = links if links is not None else [(i, j) for i in range(k) for j in range(i + 1, k)]
        self.lines: list[list[str]] = [[] for _ in sizes]
        self.measured = [0] * k
        self.received = [0] * k
        self.pairs: list[tuple[int, int, int]] = []
        self.messages: list[tuple[int, int, int, int]] = []
        self.inputs: list[list[Any]] = []
        self.outputs: list[list[Any]] | None = None
        self.clbits: list[Any] = []
        self.parameters: list[str] = []
        self.extra: dict[str, Any] = {}

    def at(self, module: int, *lines: str) -> Handmade:
        self.lines[module].extend(lines)
        return self

    def epr(self, a: int, ca: int, b: int, cb: int) -> Handmade:
        number = len(self.pairs)
        link = next(i for i, ends in enumerate(self.links) if set(ends) == {a, b})
        first = self.links[link][0] == a
        self.pairs.append((link, ca, cb) if first else (link, cb, ca))
        self.at(a, f"epr({number}) c[{ca}];")
        return self.at(b, f"epr({number}) c[{cb}];")

    def measure(self, module: int, qubit: str, *to: int, guard: str = "") -> str:
        """Measure, and send the bit to the modules `to`; returns its name in the module."""
        bit = self.measured[module]
        self.measured[module] += 1
        for target in to:
            self.messages.append((module, bit, target, self.received[target]))
            self.received[target] += 1
            self.at(module, f"@distq.send {len(self.messages) - 1}")
        text = f"m[{bit}] = measure {qubit};"
        self.at(module, f"if ({guard}) {{ {text} }}" if guard else text)
        return f"m[{bit}]"

    def recv(self, module: int, name: str = "") -> str:
        """Read the last message (to this module); returns the bit's name there."""
        number = max(i for i, m in enumerate(self.messages) if m[2] == module)
        self.at(module, f"@distq.recv {number}")
        return f"r[{self.messages[number][3]}]"

    def cat(self, a: int, qubit: str, ca: int, b: int, cb: int) -> Handmade:
        """Cat-entangle: c[cb] of module b becomes a copy of `qubit` of module a."""
        self.epr(a, ca, b, cb)
        self.at(a, f"cx {qubit}, c[{ca}];")
        self.measure(a, f"c[{ca}]", b)
        bit = self.recv(b)
        return self.at(b, f"if ({bit}) {{ x c[{cb}]; }}")

    def drop(self, b: int, share: str, a: int, qubit: str) -> Handmade:
        """Cat-disentangle the share in module b; the correction goes to `qubit` of module a."""
        self.at(b, f"h {share};")
        self.measure(b, share, a)
        bit = self.recv(a)
        return self.at(a, f"if ({bit}) {{ z {qubit}; }}")

    def text(self, module: int) -> str:
        data, comm = self.sizes[module]
        body = self.lines[module]
        head = [
            "OPENQASM 3.0;",
            'include "stdgates.inc";',
            f'// distq program 1, module {module}: "m{module}"',
        ]
        names = {word.split("(")[0] for line in body for word in line.replace("{", " ").split()}
        head += [d for n, d in DEFINITIONS.items() if n in names]
        head += [f"input float {p};" for p in self.parameters]
        sizes = (("qubit", data, "d"), ("qubit", comm, "c"))
        bits = (("bit", self.measured[module], "m"), ("bit", self.received[module], "r"))
        head += [f"{kind}[{size}] {name};" for kind, size, name in sizes + bits if size]
        return "\n".join(head + body) + "\n"

    def save(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        modules = []
        for i, (data, comm) in enumerate(self.sizes):
            content = self.text(i).encode()
            (directory / f"module_{i}.qasm").write_bytes(content)
            modules.append(
                {
                    "name": f"m{i}",
                    "file": f"module_{i}.qasm",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "data": data,
                    "comm": comm,
                    "measured": self.measured[i],
                    "received": self.received[i],
                }
            )
        manifest = {
            "format": "distq-program",
            "version": 1,
            "distq": "0",
            "circuit": {
                "name": "handmade",
                "qubits": len(self.inputs),
                "clbits": len(self.clbits),
                "qubit_registers": [],
                "clbit_registers": [],
                "global_phase": 0.0,
            },
            "network": {
                "name": "handmade",
                "modules": [{"name": f"m{i}", "data": d, "comm": c} for i, (d, c) in enumerate(self.limits)],
                "links": [{"a": f"m{a}", "b": f"m{b}"} for a, b in self.links],
            },
            "modules": modules,
            "pairs": dict(zip(("link", "a", "b"), _columns(self.pairs, 3))),
            "messages": dict(zip(("from", "bit", "to", "into"), _columns(self.messages, 4))),
            "inputs": self.inputs,
            "outputs": self.outputs if self.outputs is not None else self.inputs,
            "clbits": self.clbits,
            "parameters": self.parameters,
            "promise": {"start": "any", "outcomes_only": False},
            **self.extra,
        }
        (directory / "manifest.json").write_text(json.dumps(manifest))
        return directory


def _columns(rows: list[tuple[int, ...]], width: int) -> list[list[int]]:
    return [[row[i] for row in rows] for i in range(width)]


def teleported_cz(angle: str = "cz") -> Handmade:
    """CZ (or another two-qubit diagonal gate) of d[0] of module 0 and d[0] of module 1, on a copy in module 1."""
    program = Handmade([(1, 1), (1, 1)])
    program.inputs = [[0, "d", 0], [1, "d", 0]]
    program.cat(0, "d[0]", 0, 1, 0)
    program.at(1, f"{angle} c[0], d[0];")
    return program.drop(1, "c[0]", 0, "d[0]")


def state_teleport() -> Handmade:
    """Qubit 0 moves from module 0 to module 1, where it is swapped into a data qubit; then H."""
    program = Handmade([(1, 1), (2, 1)])
    program.inputs = [[0, "d", 0], [1, "d", 0]]
    program.outputs = [[1, "d", 1], [1, "d", 0]]
    program.cat(0, "d[0]", 0, 1, 0)
    program.drop(0, "d[0]", 1, "c[0]")
    program.at(1, "swap c[0], d[1];", "h d[1];")
    return program
