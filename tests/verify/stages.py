"""A rewritten circuit against its source: witnesses as the verifier reads them, without partition and program."""

import numpy as np

from distq.ops import NUM_ONE_QUBIT, Op
from distq.verify.compare import Comparison, simplify
from distq.verify.events import Builder
from distq.verify.rotations import gate
from distq.verify.source import read_source
from distq.verify.substitute import substitute
from distq.verify.tape import Row, Tape
from distq.verify.witnesses import Witness, WitnessGate


def kind(code):
    """The name of a gate as the verifier knows it."""
    return "U" if code == Op.U else Op(code).name.lower()


def witness_of(circuit, rewrite):
    """A rewrite as it comes out of the manifest."""
    paths = tuple(circuit.paths[s] if circuit.paths else (s,) for s in rewrite.sources if s >= 0)
    gates = tuple(WitnessGate(kind(code), wires, tuple(map(float, params))) for code, wires, params in rewrite.rows)
    return Witness(paths, tuple(-1 - s for s in rewrite.sources if s < 0), gates, rewrite.swaps, rewrite.turn)


def tape_of(circuit):
    """The rows of a unitary logical circuit."""
    tape = Tape(circuit.num_qubits)
    for row, code in enumerate(circuit.code.tolist()):
        wires = tuple(circuit.qubits[slice(*circuit.qubit_offsets[row : row + 2])].tolist())
        params = circuit.params[slice(*circuit.param_offsets[row : row + 2])].tolist()
        if code < NUM_ONE_QUBIT:
            tape.rows.append((Row.TURN, wires, gate(kind(code), params), -1, row))
        else:
            tape.rows.append((Row.MCP if code == Op.MCP else Row.PARITY, wires, (params[0], None), -1, row))
    return tape


def difference(source, circuit):
    """What the verifier finds different between a source circuit without conditions and its rewritten form, or None."""
    read = read_source(source)
    witnesses = [witness_of(circuit, r) for r in circuit.rewrites]
    tape = substitute(read.tape, read.paths, witnesses, lambda g: (), 0.0).tape
    sides = [Builder(circuit.num_qubits).run(t) for t in (tape, tape_of(circuit))]
    for ours, theirs in (sides, [simplify(s) for s in sides]):
        comparison = Comparison(read.booleans, lambda g: g, lambda g: g, lambda atom: atom)
        found = comparison.differ(ours, theirs)
        if found is None:
            wires = np.array(circuit.output_wire)
            assert [ours.strand_at[q] for q in range(len(wires))] == [theirs.strand_at[w] for w in wires]
            return None
    return found
