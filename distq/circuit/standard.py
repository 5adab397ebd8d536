"""Rows for each standard gate of Qiskit, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distq.circuit.control import control_one, control_rows
from distq.circuit.rows import MCP, PI, RX, RY, RZ, SX, H, P, Row, Rows, S, U, X, number
from distq.circuit.unitaries import add_pauli_rotation
from distq.ops import Op

#: A handler appends the rows of a gate with these wires and parameters.
Handler = Callable[[Rows, Sequence[int], Sequence[Any]], None]

_T, _TDG = int(Op.T), int(Op.TDG)


def _fixed(code: int) -> Handler:
    def handler(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
        r.code.append(code)
        r.qubits.append(q[0])

    return handler


def _turned(code: int) -> Handler:
    def handler(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
        r.code.append(code)
        r.qubits.append(q[0])
        value = p[0]
        if type(value) is float:
            r.params.append(value)
        else:
            r.angle(value)

    return handler


def _identity(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    pass


def _u(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.u(q[0], p[0], p[1], p[2])


def _u2(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.u(q[0], PI / 2, p[0], p[1])


def _r(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    phi = number(p[1])
    r.u(q[0], p[0], phi - PI / 2, PI / 2 - phi)


def _global_phase(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.phase = r.phase + number(p[0])


def _cx(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    control, target = q
    r.code += b"\x00\x0f\x00"
    r.qubits += (target, control, target, target)
    r.params.append(PI)


def _cz(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.code.append(MCP)
    r.qubits += q
    r.params.append(PI)


def _mcp(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.mcp(q, p[0])


def _phase_gate(angle: float) -> Handler:
    def handler(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
        r.mcp(q, angle)

    return handler


def _controlled(code: int) -> Handler:
    def handler(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
        control_one(r, q[:-1], q[-1], code, p)

    return handler


def _mcx(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.gate(H, q[-1])
    r.mcp(q, PI)
    r.gate(H, q[-1])


def _cu(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    control_one(r, q[:1], q[1], U, p[:3])
    r.mcp(q[:1], p[3])


def _rotation(label: str) -> Handler:
    def handler(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
        add_pauli_rotation(r, label, q, p[0])

    return handler


def _rzz(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.parity(q, p[0])


def _swap(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    r.swap(q[0], q[1])


def _iswap(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    if r.mirrored:
        r.gate(S, q[0])
        r.gate(S, q[1])
        r.mcp(q, PI)
        r.swap(q[0], q[1])
    else:
        add_pauli_rotation(r, "XX", q, -PI / 2)
        add_pauli_rotation(r, "YY", q, -PI / 2)


def _dcx(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    if r.mirrored:
        r.cx(q[1], q[0])
        r.swap(q[0], q[1])
    else:
        r.cx(q[0], q[1])
        r.cx(q[1], q[0])


def _ecr(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    add_pauli_rotation(r, "ZX", q, PI / 2)
    r.gate(X, q[0])


def _xx_plus_yy(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    theta, beta = number(p[0]), number(p[1])
    if r.mirrored and type(theta) is float and abs(theta) == PI:
        # An iSWAP (or its inverse) between two rotations.
        r.turn(RZ, q[0], beta)
        for qubit in q:
            r.gate(int(Op.SDG) if theta > 0 else S, qubit)
        r.mcp(q, PI)
        r.swap(q[0], q[1])
        r.turn(RZ, q[1], -beta)  # after the swap this wire carries the first qubit
        return
    r.turn(RZ, q[0], beta)
    add_pauli_rotation(r, "XX", q, theta / 2)
    add_pauli_rotation(r, "YY", q, theta / 2)
    r.turn(RZ, q[0], -beta)


def _xx_minus_yy(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    theta, beta = number(p[0]), number(p[1])
    r.turn(RZ, q[1], -beta)
    add_pauli_rotation(r, "XX", q, theta / 2)
    add_pauli_rotation(r, "YY", q, -theta / 2)
    r.turn(RZ, q[1], beta)


def _rccx(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    a, b, t = q
    r.gate(H, t)
    r.gate(_T, t)
    r.cx(b, t)
    r.gate(_TDG, t)
    r.cx(a, t)
    r.gate(_T, t)
    r.cx(b, t)
    r.gate(_TDG, t)
    r.gate(H, t)


def _rcccx(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    a, b, c, t = q
    r.gate(H, t)
    r.gate(_T, t)
    r.cx(c, t)
    r.gate(_TDG, t)
    r.gate(H, t)
    for control, code in ((a, _T), (b, _TDG), (a, _T), (b, _TDG)):
        r.cx(control, t)
        r.gate(code, t)
    r.gate(H, t)
    r.gate(_T, t)
    r.cx(c, t)
    r.gate(_TDG, t)
    r.gate(H, t)


def _cswap(r: Rows, q: Sequence[int], p: Sequence[Any]) -> None:
    # In the direction of Qiskit's definition: whoever reads that comes to the same rows.
    control_rows(r, q[:-2], swap_rows(q[-1], q[-2]), 0.0)


def swap_rows(a: int, b: int) -> list[Row]:
    """SWAP as rows (three CX)."""
    scratch = Rows()
    scratch.swap(a, b)
    return scratch.tail(0, 0, 0)


HANDLERS: dict[str, Handler] = {
    "id": _identity,
    "delay": _identity,
    "global_phase": _global_phase,
    "p": _turned(P),
    "u1": _turned(P),
    "rx": _turned(RX),
    "ry": _turned(RY),
    "rz": _turned(RZ),
    "u": _u,
    "u3": _u,
    "u2": _u2,
    "r": _r,
    "cx": _cx,
    "cz": _cz,
    "cy": _controlled(int(Op.Y)),
    "ch": _controlled(int(Op.H)),
    "cs": _phase_gate(PI / 2),
    "csdg": _phase_gate(-PI / 2),
    "cp": _mcp,
    "cu1": _mcp,
    "mcphase": _mcp,
    "csx": _controlled(SX),
    "c3sx": _controlled(SX),
    "crx": _controlled(RX),
    "cry": _controlled(RY),
    "crz": _controlled(RZ),
    "cu": _cu,
    "cu3": _controlled(U),
    "ccx": _mcx,
    "mcx": _mcx,
    "ccz": _phase_gate(PI),
    "cswap": _cswap,
    "rxx": _rotation("XX"),
    "ryy": _rotation("YY"),
    "rzz": _rzz,
    "rzx": _rotation("ZX"),
    "swap": _swap,
    "iswap": _iswap,
    "dcx": _dcx,
    "ecr": _ecr,
    "xx_plus_yy": _xx_plus_yy,
    "xx_minus_yy": _xx_minus_yy,
    "rccx": _rccx,
    "rcccx": _rcccx,
}
for _name in ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg"):
    HANDLERS[_name] = _fixed(int(Op[_name.upper()]))

#: Codes of one-qubit gates that may be the base of a controlled gate, by name.
BASES: dict[str, int] = {n: int(Op[n.upper()]) for n in ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg")}
BASES |= {"p": P, "u1": P, "rx": RX, "ry": RY, "rz": RZ, "u": U, "u3": U}
