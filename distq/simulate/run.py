"""Noiseless runs of programs and circuits on Qiskit Aer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from distq.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.program.compiled import CompiledProgram
    from distq.program.types import DistributedProgram

#: Circuits on more qubits are run as matrix product states, unless they are Clifford circuits.
STATEVECTOR_QUBITS = 24
METHODS = ("automatic", "statevector", "stabilizer", "matrix_product_state", "density_matrix")


def run(
    program: CompiledProgram | DistributedProgram | QuantumCircuit,
    shots: int = 1024,
    seed: int = 0,
    *,
    parameters: Mapping[str, float] | None = None,
    method: str = "automatic",
) -> dict[str, int]:
    """Simulate a program without noise, every input qubit in |0>, and count the outcomes.

    Args:
        program: a compiled program, or a Qiskit circuit.
        shots: number of runs, at least 1.
        seed: of the simulator; the same seed gives the same counts.
        parameters: values of the unbound parameters by name [rad].
        method: of Aer; "automatic" takes stabilizers for Clifford circuits, states up to
            `STATEVECTOR_QUBITS` qubits, else matrix product states.

    Returns:
        How often each value of the source's classical bits occurred, written as Qiskit writes it: the last bit
        first, registers separated by spaces. A circuit without classical bits gives `{"": shots}`.

    Raises:
        MissingExtraError: qiskit-aer is not installed.
        UsageError: a value that is not valid, or a parameter without a value.
    """
    if shots < 1:
        raise UsageError(f"shots is {shots}; it must be at least 1")
    if method not in METHODS:
        raise UsageError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    circuit, clbits, registers = _circuit(program)
    circuit = _unrolled(_bound(circuit, parameters or {}))
    if not clbits:
        return {"": shots}
    if not _measures(circuit):
        return {_writer(range(len(clbits)), registers)(0): shots}
    found: dict[str, int] = {}
    text = _writer([circuit.find_bit(b).index for b in clbits], registers)
    for value, count in _aer_counts(circuit, shots, seed, method).items():
        word = text(value)
        found[word] = found.get(word, 0) + count
    return dict(sorted(found.items()))


def success_probability(counts: Mapping[str, int], accepted: str | Iterable[str]) -> tuple[float, float]:
    """(probability, standard error) that an outcome is one of the accepted ones.

    The standard error is never 0: where no failure (or no success) was seen, it is that of one.
    """
    shots = sum(counts.values())
    if not shots:
        raise UsageError("there are no counts; run at least one shot")
    wanted = {accepted} if isinstance(accepted, str) else set(accepted)
    hits = sum(n for word, n in counts.items() if word in wanted)
    inner = min(max(hits, 1), shots - 1) if shots > 1 else 0.5
    return hits / shots, math.sqrt(inner / shots * (1 - inner / shots) / shots)


def _circuit(program: Any) -> tuple[QuantumCircuit, Sequence[Any], list[tuple[int, ...]]]:
    """The circuit to run, the classical bits of the source in it, and their registers by position."""
    from qiskit import QuantumCircuit

    if isinstance(program, QuantumCircuit):
        index = {b: i for i, b in enumerate(program.clbits)}
        return program, program.clbits, [tuple(index[b] for b in r) for r in program.cregs]
    from distq.program.to_qiskit import to_qiskit

    columns = getattr(program, "program", program)
    circuit = to_qiskit(columns)
    clbits = circuit.clbits[: len(columns.clbit_values)]
    return circuit, clbits, [r.bits for r in columns.clbit_registers]


def _bound(circuit: QuantumCircuit, values: Mapping[str, float]) -> QuantumCircuit:
    names = sorted(p.name for p in circuit.parameters)
    missing = [n for n in names if n not in values]
    if missing:
        raise UsageError(f"parameter {missing[0]!r} has no value; the parameters are {', '.join(names)}")
    if not names:
        return circuit
    return circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})


def _aer_counts(circuit: QuantumCircuit, shots: int, seed: int, method: str) -> dict[int, int]:
    """Counts by the value of all classical bits; bit i of the key is classical bit i."""
    try:
        from qiskit_aer import AerSimulator
    except ImportError as error:
        raise MissingExtraError("qiskit-aer", "sim", "simulation") from error
    small = _without_idle(_until_last_measurement(circuit))
    ready = _translator().run(small)
    if method == "automatic":
        if _is_clifford(ready):
            method = "stabilizer"
        else:
            method = "statevector" if small.num_qubits <= STATEVECTOR_QUBITS else "matrix_product_state"
    # Branching shares the common part of the shots, and keeps long dynamic circuits fast. Truncation drops qubits
    # and operations that do not matter, and with them the ends of conditional blocks, which Aer then misses.
    simulator = AerSimulator(method=method, seed_simulator=seed, shot_branching_enable=True, enable_truncation=False)
    result = simulator.run(ready, shots=shots).result()
    if not result.success:
        raise UsageError(f"Aer cannot run this program: {result.status}; try another method or fewer qubits")
    return {int(key, 16): int(n) for key, n in result.data()["counts"].items()}


#: Gates that Aer's methods for states carry out as they are; others are replaced by their definitions.
# fmt: off
_BASIS = (
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "u", "rx", "ry", "rz",
    "cx", "cy", "cz", "cp", "swap", "rzz", "rxx", "ryy", "ccx", "mcx", "mcphase", "unitary",
    "measure", "reset", "barrier", "delay", "if_else", "switch_case",
)
# fmt: on


@cache
def _translator() -> Any:
    """A pass manager to what Aer carries out; the one for an Aer backend takes half a second to make, each time."""
    from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
    from qiskit.transpiler import PassManager
    from qiskit.transpiler.passes import BasisTranslator, HighLevelSynthesis, UnrollCustomDefinitions

    basis = list(_BASIS)
    library = SessionEquivalenceLibrary
    return PassManager(
        [
            HighLevelSynthesis(basis_gates=basis, equivalence_library=library),
            UnrollCustomDefinitions(library, basis_gates=basis),
            BasisTranslator(library, basis),
        ]
    )


def _unrolled(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without `for` loops and empty blocks, on which Aer fails."""
    names = {instruction.operation.name for instruction in circuit.data}
    if not names & {"for_loop", "if_else", "switch_case"}:
        return circuit
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        op, qubits, clbits = instruction.operation, instruction.qubits, instruction.clbits
        if op.name == "for_loop":
            indices, parameter, body = op.params
            for value in indices:
                bound = body if parameter is None else body.assign_parameters({parameter: value})
                result.compose(_unrolled(bound), qubits, clbits, inplace=True)
        elif op.name in ("if_else", "switch_case"):
            blocks = [_unrolled(b) for b in op.blocks]
            for block in blocks:
                if not block.data:
                    block.barrier()
            result.append(op.replace_blocks(blocks), qubits, clbits)
        else:
            result._append(instruction)
    return result


def _until_last_measurement(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without what cannot change any classical bit."""
    data = circuit.data
    last = next(
        i for i in range(len(data) - 1, -1, -1) if data[i].operation.name == "measure" or _inner(data[i].operation)
    )
    result = circuit.copy_empty_like()
    for instruction in data[: last + 1]:
        result._append(instruction)
    return result


def _inner(operation: Any) -> bool:
    return any(b is not None and _measures(b) for b in getattr(operation, "blocks", ()))


def _measures(circuit: QuantumCircuit) -> bool:
    return any(i.operation.name == "measure" or _inner(i.operation) for i in circuit.data)


def _without_idle(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit on those qubits that something acts on (one at least)."""
    from qiskit import QuantumCircuit

    used = {q for instruction in circuit.data for q in instruction.qubits}
    qubits = [q for q in circuit.qubits if q in used] or circuit.qubits[:1]
    small = QuantumCircuit(qubits, list(circuit.clbits))
    for register in circuit.cregs:
        small.add_register(register)
    for instruction in circuit.data:
        small._append(instruction)
    return small


_CLIFFORD = frozenset(
    {"id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap"}
    | {"measure", "reset", "barrier", "delay", "if_else"}
)


def _is_clifford(circuit: QuantumCircuit) -> bool:
    for instruction in circuit.data:
        op = instruction.operation
        if op.name not in _CLIFFORD:
            return False
        if op.name == "if_else" and not all(_is_clifford(body) for body in op.blocks if body is not None):
            return False
    return True


def _writer(positions: Sequence[int], registers: Sequence[tuple[int, ...]]) -> Callable[[int], str]:
    """A function that writes the bits of a value as Qiskit does; bits outside all registers come last."""
    covered = {b for r in registers for b in r}
    loose = tuple(b for b in range(len(positions)) if b not in covered)
    groups = [tuple(positions[b] for b in g) for g in (*registers, *((loose,) if loose else ())) if g]

    def text(value: int) -> str:
        return " ".join("".join(str((value >> p) & 1) for p in reversed(g)) for g in reversed(groups))

    return text
