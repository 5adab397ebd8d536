"""Joins the statements of all module files into one program."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import Register
from distq.errors import InputError
from distq.network.model import Network
from distq.ops import Op
from distq.program.expressions import parameter_names, parse
from distq.program.manifest import Manifest
from distq.program.order import DeadlockError, arrange
from distq.program.read import ModuleRows
from distq.program.types import COMM, DATA, MEASURED, RECEIVED, Block, DistributedProgram

Int64 = NDArray[np.int64]


def join_modules(
    manifest: Manifest, network: Network, modules: list[ModuleRows], parameters: dict[str, Any], path: str
) -> DistributedProgram:
    """The program in canonical form.

    Args:
        manifest: checked.
        network: of the manifest.
        modules: the statements of each module file.
        parameters: Parameter objects by identifier.
        path: of the manifest, for messages.

    Raises:
        InputError: pairs and messages of the files and the manifest do not fit, or the program is deadlocked.
    """
    return _Joiner(manifest, network, modules, parameters, path).run()


class _Joiner:
    def __init__(
        self, manifest: Manifest, network: Network, modules: list[ModuleRows], parameters: dict[str, Any], path: str
    ) -> None:
        self.manifest, self.network, self.modules = manifest, network, modules
        self.parameters, self.path = parameters, path
        self.qubit_base = _bases([m.data + m.comm for m in modules])
        self.bit_base = _bases([m.measured + m.received for m in modules])
        # Rows: the statements of all modules one after the other, then one SEND row per message. The second half
        # of a Bell pair becomes the row of the first.
        self.row_base = _bases([len(m.statement) for m in modules])
        #: The row of the second half of each Bell pair, by the row of the first.
        self.halves: dict[int, int] = {}

    def fail(self, problem: str) -> NoReturn:
        raise InputError(f"{self.path}: {problem}; compile the program again")

    def fail_at(self, row: int, problem: str) -> NoReturn:
        raise InputError(f"{self.where(row)}: {problem}; compile the program again")

    def where(self, row: int) -> str:
        """File and line of a statement."""
        m = int(np.searchsorted(self.row_base, row, side="right")) - 1
        return f"{self.modules[m].path}, line {int(self.modules[m].line[row - self.row_base[m]])}"

    def run(self) -> DistributedProgram:
        columns, pair = self._statements()
        total = int(self.row_base[-1])
        first, second = self._pairs(pair)
        self.halves = dict(zip(first.tolist(), second.tolist()))
        sequence = np.arange(total)
        sequence[second] = first
        self._place_pairs(columns, first, second)
        columns = self._add_messages(columns)
        # The second halves are in no sequence: they are cut out, which moves the rows behind them.
        kept = np.ones(len(columns["code"]), np.bool_)
        kept[second] = False
        number = np.cumsum(kept) - 1
        program = self._program(columns, kept)
        try:
            return arrange(program, self.row_base, number[sequence])[0]
        except DeadlockError as error:
            self._explain(error, np.flatnonzero(kept))

    def _explain(self, error: DeadlockError, rows: Int64) -> NoReturn:
        where = "; ".join(
            f"module {self.network.modules[m].name!r} waits for ever at {self._stands(m, int(rows[row]))}"
            for m, row in error.waiting[:4]
        )
        raise InputError(f"the program is deadlocked: {where}; compile the program again") from None

    def _stands(self, module: int, row: int) -> str:
        # The row of a pair is its half in the lower module: find this module's half.
        return self.where(row if row >= self.row_base[module] else self.halves[row])

    def _statements(self) -> tuple[dict[str, Any], Int64]:
        """Columns of all statements, and the pair of each (-1: none)."""
        columns: dict[str, list[Any]] = {k: [] for k in ("code", "guard", "bit", "tag", "exchange")}
        qubits, arity, params, count, pairs = [], [], [], [], []
        guards: dict[Any, int] = {}
        flat_params: list[Any] = []
        for m, module in enumerate(self.modules):
            t, at = module.templates, module.statement
            columns["code"].append(np.array(t.code, np.uint8)[at])
            literals = [self._guard(m, g) for g in t.guard]
            numbers = [guards.setdefault(g, len(guards)) if g else -1 for g in literals]
            columns["guard"].append(np.array(numbers, np.int32)[at])
            bit = np.array(t.bit, np.int64)
            columns["bit"].append(np.where(bit < 0, -1, bit + self.bit_base[m]).astype(np.int32)[at])
            columns["tag"].append(self._tags(m))
            exchange = np.full(len(at), -1, np.int32)
            for position, number in module.exchange:
                exchange[position] = number
            columns["exchange"].append(exchange)
            pairs.append(np.array(t.pair, np.int64)[at])
            lengths, flat = _repeat([len(q) for q in t.qubits], at)
            arity.append(lengths)
            qubits.append(np.array([q for qs in t.qubits for q in qs], np.int64)[flat] + self.qubit_base[m])
            lengths, flat = _repeat([len(p) for p in t.params], at)
            count.append(lengths)
            params.append(flat + len(flat_params))
            flat_params.extend(p for ps in t.params for p in ps)
        joined: dict[str, Any] = {k: np.concatenate(v) for k, v in columns.items()}
        joined["guards"] = tuple(guards)
        joined["qubits"], joined["arity"] = np.concatenate(qubits), np.concatenate(arity)
        joined["count"] = np.concatenate(count)
        at = np.concatenate(params)
        values = np.array([p if type(p) is float else np.nan for p in flat_params], np.float64)
        symbolic = {id(p): p for p in flat_params if type(p) is not float}
        index = {key: i for i, key in enumerate(symbolic)}
        expr = np.array([-1 if type(p) is float else index[id(p)] for p in flat_params], np.int32)
        joined["params"], joined["param_expr"] = values[at], expr[at]
        joined["expressions"] = tuple(symbolic.values())
        return joined, np.concatenate(pairs)

    def _guard(self, module: int, guard: tuple[Any, ...]) -> tuple[tuple[int, int], ...]:
        base, measured = int(self.bit_base[module]), self.modules[module].measured
        return tuple((base + index + (measured if kind == "r" else 0), value) for kind, index, value in guard)

    def _tags(self, module: int) -> NDArray[np.int32]:
        size = len(self.modules[module].statement)
        if self.manifest.plan is None:
            return np.full(size, -1, np.int32)
        tags = self.manifest.plan.tag[module]
        if len(tags) != size or any(not -1 <= t < 2**31 for t in tags):
            self.fail(f"'plan.tag' does not fit the {size} statements of module {module}")
        return np.array(tags, np.int32)

    def _pairs(self, pair: Int64) -> tuple[Int64, Int64]:
        """Rows of the first and the second half of every pair, in the order of the pairs."""
        number = len(self.manifest.pairs.link)
        rows = np.flatnonzero(pair >= 0)
        found = pair[rows]
        if len(found) and found.max() >= number:
            self.fail_at(int(rows[np.argmax(found)]), f"Bell pair {int(found.max())} is not in the manifest")
        counts = np.bincount(found, minlength=number)
        if (counts > 2).any():
            bad = int(np.argmax(counts > 2))
            self.fail_at(int(rows[found == bad][2]), f"Bell pair {bad} occurs more than twice")
        if (counts < 2).any():
            self.fail(f"Bell pair {int(np.argmax(counts < 2))} does not occur in two module files")
        order = rows[np.argsort(found, kind="stable")].reshape(-1, 2)
        return order[:, 0], order[:, 1]

    def _place_pairs(self, columns: dict[str, Any], first: Int64, second: Int64) -> None:
        """Check that the halves lie where the manifest says, and give the first row both qubits."""
        pairs, ends = self.manifest.pairs, self.network.link_ends
        link = np.array(pairs.link, np.int64)
        offsets = np.concatenate([[0], np.cumsum(columns["arity"])])
        data = np.array([m.data for m in self.modules], np.int64)
        a = self.qubit_base[ends[link, 0]] + data[ends[link, 0]] + np.array(pairs.a, np.int64)
        b = self.qubit_base[ends[link, 1]] + data[ends[link, 1]] + np.array(pairs.b, np.int64)
        x, y = columns["qubits"][offsets[first]], columns["qubits"][offsets[second]]
        wrong = ~(((x == a) & (y == b)) | ((x == b) & (y == a)))
        if wrong.any():
            bad = int(np.argmax(wrong))
            row = first[bad] if x[bad] not in (a[bad], b[bad]) else second[bad]
            self.fail_at(int(row), f"Bell pair {bad} does not arrive on the qubit that the manifest names")
        columns["link"] = np.full(len(columns["code"]), -1, np.int32)
        columns["link"][first] = link
        # The first row takes both halves, in the order of the link's modules.
        arity = columns["arity"].copy()
        arity[first] = 2
        starts = np.concatenate([[0], np.cumsum(arity)])
        qubits = np.empty(starts[-1], np.int64)
        source = np.repeat(np.arange(len(arity)), columns["arity"])
        qubits[starts[source] + np.arange(len(source)) - offsets[source]] = columns["qubits"]
        qubits[starts[first]], qubits[starts[first] + 1] = a, b
        columns["qubits"], columns["arity"] = qubits, arity

    def _add_messages(self, columns: dict[str, Any]) -> dict[str, Any]:
        """One SEND row for every message, several of one measurement in the order of their lines."""
        messages = self.manifest.messages
        number = len(messages.bit)
        seen = np.zeros(number, np.bool_)
        order = []
        for m, module in enumerate(self.modules):
            for position, message in module.sends:
                row = int(self.row_base[m]) + position
                if message >= number or seen[message]:
                    self.fail_at(row, f"message {message} is not in the manifest, or is sent twice")
                bit = int(columns["bit"][row]) - int(self.bit_base[m])
                if messages.source[message] != m or messages.bit[message] != bit:
                    self.fail_at(row, f"message {message} takes another bit, by the manifest")
                seen[message] = True
                order.append(message)
        if not seen.all():
            self.fail(f"message {int(np.argmin(seen))} is sent in no module file")
        chosen = np.array(order, np.int64)
        measured = np.array([m.measured for m in self.modules], np.int64)
        source, to = (np.array(c, np.int64)[chosen] for c in (messages.source, messages.to))
        sent = self.bit_base[source] + np.array(messages.bit, np.int64)[chosen]
        bit2 = self.bit_base[to] + measured[to] + np.array(messages.into, np.int64)[chosen]
        rows = len(columns["code"])
        none = np.full(number, -1, np.int32)
        tail = {"code": np.full(number, Op.SEND, np.uint8), "bit": sent.astype(np.int32)}
        tail |= {"arity": np.zeros(number, np.int64), "count": np.zeros(number, np.int64)}
        for key in ("code", "guard", "bit", "tag", "exchange", "link", "arity", "count"):
            columns[key] = np.concatenate([columns[key], tail.get(key, none)])
        columns["bit2"] = np.concatenate([np.full(rows, -1, np.int32), bit2.astype(np.int32)])
        return columns

    def _program(self, columns: dict[str, Any], kept: NDArray[np.bool_]) -> DistributedProgram:
        keep_qubit = np.repeat(kept, columns["arity"])
        keep_param = np.repeat(kept, columns["count"])
        manifest, modules = self.manifest, self.modules
        circuit = manifest.circuit
        phase = self._phase(circuit.global_phase)
        used = parameter_names((*columns["expressions"], phase))
        data, comm = [m.data for m in modules], [m.comm for m in modules]
        measured, received = [m.measured for m in modules], [m.received for m in modules]
        return DistributedProgram(
            network=self.network,
            code=columns["code"][kept],
            qubit_offsets=_bases(columns["arity"][kept]),
            qubits=columns["qubits"][keep_qubit].astype(np.int32),
            param_offsets=_bases(columns["count"][kept]),
            params=columns["params"][keep_param],
            param_expr=columns["param_expr"][keep_param],
            guard=columns["guard"][kept],
            bit=columns["bit"][kept],
            bit2=columns["bit2"][kept],
            link=columns["link"][kept],
            tag=columns["tag"][kept],
            exchange=columns["exchange"][kept],
            guards=columns["guards"],
            **_tables("qubit_role", (DATA, COMM), "qubit", data, comm),
            **_tables("bit_kind", (MEASURED, RECEIVED), "bit", measured, received),
            input_qubit=self._places(manifest.inputs),
            output_qubit=self._places(manifest.outputs),
            clbit_values=tuple(
                tuple(
                    (
                        tuple((int(self.bit_base[m]) + index, value) for m, _, index, value in conjunction),
                        -1 if place is None else int(self.bit_base[place[0]]) + place[2],
                    )
                    for conjunction, place in entries
                )
                for entries in manifest.clbits
            ),
            expressions=columns["expressions"],
            qubit_registers=tuple(Register(name, tuple(bits)) for name, bits in circuit.qubit_registers),
            clbit_registers=tuple(Register(name, tuple(bits)) for name, bits in circuit.clbit_registers),
            circuit_name=circuit.name,
            start=manifest.promise.start,
            outcomes_only=manifest.promise.outcomes_only,
            global_phase=phase,
            blocks=tuple(
                Block(tuple(tuple(s) if isinstance(s, list) else s for s in b.of), tuple(b.gates), b.turn)
                for b in manifest.blocks
            ),
            error_bound=manifest.error_bound,
            births=tuple(manifest.births),
            unborn=tuple(manifest.unborn),
            block_parameters=tuple(sorted({p.name for p in self.parameters.values()} - set(used))),
        )

    def _places(self, places: list[tuple[int, str, int]]) -> NDArray[np.int32]:
        found = [
            int(self.qubit_base[m]) + index + (self.modules[m].data if register == "c" else 0)
            for m, register, index in places
        ]
        return np.array(found, np.int32)

    def _phase(self, phase: float | str) -> Any:
        if not isinstance(phase, str):
            return float(phase)
        try:
            return parse(phase, self.parameters)
        except ValueError as error:
            self.fail(f"the global phase of the circuit cannot be read: {error}")


def _bases(sizes: Any) -> Int64:
    result = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=result[1:])
    return result


def _repeat(lengths: list[int], at: Int64) -> tuple[Int64, Int64]:
    """Lengths of the statements with these templates, and their positions in the templates' flat column."""
    sizes = np.array(lengths, np.int64)
    starts = np.cumsum(sizes) - sizes
    chosen = sizes[at]
    ends = np.cumsum(chosen)
    total = int(ends[-1]) if len(ends) else 0
    return chosen, np.arange(total) + np.repeat(starts[at] - (ends - chosen), chosen)


def _tables(kind_name: str, kinds: tuple[int, int], name: str, first: list[int], second: list[int]) -> dict[str, Any]:
    """Module, kind and index columns: module by module, first one kind, then the other."""
    sizes = np.array([first, second], np.int64).T.reshape(-1)
    groups = np.arange(len(sizes))
    total = int(sizes.sum())
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return {
        f"{name}_module": np.repeat(groups // 2, sizes).astype(np.int32),
        kind_name: np.repeat(np.array(kinds, np.uint8)[groups % 2], sizes),
        f"{name}_index": (np.arange(total) - start).astype(np.int32),
    }
