"""Witnesses as text: the gates that took the place of instructions of the source, for the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from distq.circuit.logical import LogicalCircuit, Rewrite, WitnessRow
from distq.program.emit import expression_writer, gate_text
from distq.program.expressions import ExpressionWriter, parameter_names, parse
from distq.program.types import Block, DistributedProgram


def with_witnesses(program: DistributedProgram, circuit: LogicalCircuit) -> DistributedProgram:
    """The program with the witnesses of the circuit that it was made from.

    Args:
        program: in canonical form, so that the identifiers of its parameters are final.
        circuit: what was compiled, after all rewrites.
    """
    program = replace(program, error_bound=circuit.error_bound)
    if not circuit.rewrites:
        return program
    angles = [p for rewrite in circuit.rewrites for _, _, params in rewrite.rows for p in params]
    own = parameter_names((*program.expressions, program.global_phase))
    more = tuple(sorted(set(parameter_names(angles)) - set(own)))
    program = replace(program, block_parameters=more)
    _, writer = expression_writer(program)
    return replace(program, blocks=tuple(_block(r, circuit.paths, writer) for r in circuit.rewrites))


def _block(rewrite: Rewrite, paths: Sequence[tuple[int, ...]], writer: ExpressionWriter) -> Block:
    of: list[int | tuple[int, ...]] = []
    for source in rewrite.sources:
        path = paths[source] if source >= 0 and paths else (source,)
        of.append(path[0] if len(path) == 1 else path)
    swaps = tuple(f"swap q[{a}], q[{b}];" for a, b in rewrite.swaps)
    return Block(tuple(of), tuple(_gate(row, writer) for row in rewrite.rows) + swaps, rewrite.turn)


def _gate(row: WitnessRow, writer: ExpressionWriter) -> str:
    code, wires, params = row
    operands = ", ".join([f"q[{w}]" for w in wires])
    return gate_text(code, [_angle(p, writer) for p in params], len(wires), operands)


def _angle(value: Any, writer: ExpressionWriter) -> str:
    if isinstance(value, (int, float)):
        return repr(float(value))
    text = writer.text(value)
    # An expression may have turned out to be a number (`a - a`).
    return text if writer.names_in(text) else repr(float(parse(text, {})))


__all__ = ["with_witnesses"]
