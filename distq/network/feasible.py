"""Whether a circuit has room in a network, and in which part of it."""

from __future__ import annotations

import numpy as np

from distq.errors import InfeasibleError
from distq.network.model import Module, Network

#: Messages name at most this many modules of a part.
_NAMED = 6


def parts(network: Network) -> list[list[int]]:
    """The parts of a network within which programs can communicate, as sorted module indices.

    Links to modules without communication qubits carry nothing, so such a module is a part by itself.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    able = network.comm_array > 0
    usable = (network.link_of >= 0) & able[:, None] & able[None, :]
    count, label = connected_components(csr_matrix(usable), directed=False)
    found = [np.flatnonzero(label == c).tolist() for c in range(count)]
    return sorted(found)


def usable_modules(network: Network, num_qubits: int) -> list[int]:
    """The modules that a program for a circuit on this many qubits may use, as sorted indices.

    A program cannot spread over two parts that share no usable link (see `parts`): this is the part to
    compile for. Of the parts with room for the circuit it is one with a module that holds the whole circuit,
    because that needs no entanglement; else, or among several of them, the part with the most data qubits;
    among equals the first. In a connected network whose modules all have communication qubits these are all
    modules.

    Raises:
        InfeasibleError: no part has room; the message says what is missing.
    """
    candidates = parts(network)
    data = network.data_array
    roomy = [p for p in candidates if data[p].sum() >= num_qubits]
    if not roomy:
        raise InfeasibleError(_reason(network, num_qubits, candidates))
    return max(roomy, key=lambda p: (bool(data[p].max() >= num_qubits), int(data[p].sum())))


def check_fits(network: Network, num_qubits: int) -> None:
    """Refuse a circuit on `num_qubits` qubits that this network has no room for.

    Raises:
        InfeasibleError: with the qubits needed and present, and what is missing: data qubits, links between
            parts (named), or communication qubits of a module (named).
    """
    usable_modules(network, num_qubits)


def alive(network: Network, num_qubits: int) -> Network:
    """The network without links whose rate is 0.

    Raises:
        InfeasibleError: a circuit on so many qubits needs one of them.
    """
    result = network.without_dead_links()
    if result is network or result.fits(num_qubits) or not network.fits(num_qubits):
        return result
    kept = {(x.a, x.b) for x in result.links}
    dead = [f"{x.a} - {x.b}" for x in network.links if (x.a, x.b) not in kept]
    names = ", ".join(dead[:_NAMED]) + (", ..." if len(dead) > _NAMED else "")
    raise InfeasibleError(
        f"the circuit needs {_qubits(num_qubits)}, and modules with so many data qubits are joined only by way of "
        f"links whose rate is 0 ({names}): give them a rate"
    )


def _reason(network: Network, num_qubits: int, candidates: list[list[int]]) -> str:
    modules = network.modules
    needs = f"the circuit needs {_qubits(num_qubits)}"
    if num_qubits > network.total_data:
        return (
            f"{needs}, but the network has {network.total_data} data qubits {_list(list(modules))}: "
            "add modules or data qubits"
        )
    # Would the communication qubits that are missing have joined enough modules?
    mute = [i for i, m in enumerate(modules) if m.comm == 0]
    joined = [c for c in network.components if network.data_array[list(c)].sum() >= num_qubits]
    if joined:
        blocking = [modules[i] for i in joined[0] if i in set(mute)]
        best = max(int(network.data_array[p].sum()) for p in candidates)
        names = ", ".join(repr(m.name) for m in blocking[:_NAMED]) + (", ..." if len(blocking) > _NAMED else "")
        which = f"module {names} has" if len(blocking) == 1 else f"modules {names} have"
        return (
            f"{needs}, but {which} no communication qubit, and without them at most {best} data qubits "
            "can work together: give each at least one (comm = 1)"
        )
    areas = sorted(network.components, key=lambda c: -int(network.data_array[list(c)].sum()))
    shown = " and ".join(_list([modules[i] for i in c]) for c in areas[:3])
    more = " and others" if len(areas) > 3 else ""
    largest = int(network.data_array[list(areas[0])].sum())
    return (
        f"{needs}, but the network is not connected, and its largest part has {largest} data qubits: "
        f"no link joins {shown}{more}; add a link between them"
    )


def _qubits(n: int) -> str:
    return f"{n} qubit" + ("s" if n != 1 else "")


def _list(modules: list[Module]) -> str:
    shown = ", ".join(f"{m.name}: {m.data}" for m in modules[:_NAMED])
    return "{" + shown + (", ..." if len(modules) > _NAMED else "") + "}"
