"""Modules, links and the network they form."""

from __future__ import annotations

import operator
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import NetworkError
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware

if TYPE_CHECKING:
    import networkx
    import rustworkx
    from qiskit.providers import BackendV2
    from qiskit.transpiler import Target

#: What `Network.comm_array` holds for a module with unlimited communication qubits.
UNLIMITED = 2**30
#: How unlimited communication qubits are written in files and on the command line.
UNLIMITED_WORD = "unlimited"
#: What a module name looks like; names become names of registers. They must also be printable.
NAME_PATTERN = r"^[^\s\"'`\\]+$"

#: A number of data qubits for every module, or one for each.
Data = int | Sequence[int]
#: A number of communication qubits for every module, or one for each; None and "unlimited" mean no limit.
Comm = int | str | None | Sequence[int | str | None]
#: Hardware of every module, or of each: in the order of the modules, or by name.
PerModule = ModuleHardware | None | Sequence[ModuleHardware | None] | Mapping[str, ModuleHardware | None]
#: Hardware of every link, or of each: in the order of the links, or by the names of both ends.
PerLink = LinkHardware | None | Sequence[LinkHardware | None] | Mapping[tuple[str, str], LinkHardware | None]


@dataclass(frozen=True)
class Module:
    """A quantum processor with `data` data qubits and `comm` communication qubits (None: unlimited).

    Zero communication qubits are allowed: such a module takes part only in programs that need no link of it.
    `hardware` says how long its operations take and how good they are, where that is known.

    Raises:
        NetworkError: the name is empty, has spaces, quotes or unprintable characters; a capacity is not an
            integer, `data` is less than 1, or `comm` is negative; the qubits do not fit the coupling map.
    """

    name: str
    data: int
    comm: int | None = 2
    hardware: ModuleHardware | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.match(NAME_PATTERN, self.name) or not self.name.isprintable():
            raise NetworkError(
                f"module name {self.name!r} cannot be used: give a text of one or more printable characters "
                "without spaces, quotes and backslashes"
            )
        object.__setattr__(self, "data", _capacity(self.name, "data", self.data, 1))
        if self.comm is not None:
            object.__setattr__(self, "comm", _capacity(self.name, "comm", self.comm, 0))
        if self.hardware is None:
            return
        if not isinstance(self.hardware, ModuleHardware):
            raise NetworkError(f"module {self.name!r}: hardware is {self.hardware!r}, but must be a ModuleHardware")
        if self.hardware.coupling is not None:
            try:
                self.hardware.places(self.data, self.comm)
            except NetworkError as error:
                raise NetworkError(f"module {self.name!r}: {error}") from None

    @classmethod
    def from_target(cls, target: Target, comm: Sequence[int] = (), name: str = "m0") -> Module:
        """A module that is a Qiskit target, with its coupling map, durations, errors and lifetimes.

        Durations, errors, T1 and T2 are medians (see `distq.network.targets`).

        Args:
            target: a `qiskit.transpiler.Target`.
            comm: positions of the communication qubits; all other positions hold data.
            name: of the module.

        Raises:
            NetworkError: a communication qubit is not on the target, or the coupling map does not join all qubits.
        """
        from distq.network.targets import target_hardware

        try:
            hardware, data = target_hardware(target, comm)
        except NetworkError as error:
            raise NetworkError(f"module {name!r}: {error}") from None
        return cls(name, data, len(comm), hardware)

    @classmethod
    def from_backend(cls, backend: BackendV2, comm: Sequence[int] = (), name: str = "") -> Module:
        """A module that is a Qiskit backend (`BackendV2`), by its target; by default it has the backend's name."""
        return cls.from_target(backend.target, comm, name or backend.name or "m0")

    def to_dict(self) -> dict[str, Any]:
        """The module as in a network file."""
        return {
            "name": self.name,
            "data": self.data,
            "comm": UNLIMITED_WORD if self.comm is None else self.comm,
            **({} if self.hardware is None else {"hardware": self.hardware.to_dict()}),
        }


@dataclass(frozen=True)
class Link:
    """An entanglement link between two modules, named by their names; `hardware` says how it makes pairs.

    Raises:
        NetworkError: `hardware` is no LinkHardware.
    """

    a: str
    b: str
    hardware: LinkHardware | None = None

    def __post_init__(self) -> None:
        if self.hardware is not None and not isinstance(self.hardware, LinkHardware):
            raise NetworkError(
                f"the link {self.a} - {self.b}: hardware is {self.hardware!r}, but must be a LinkHardware"
            )

    def to_dict(self) -> dict[str, Any]:
        """The link as in a network file."""
        return {
            "a": self.a,
            "b": self.b,
            **({} if self.hardware is None else {"hardware": self.hardware.to_dict()}),
        }


@dataclass(frozen=True)
class Network:
    """Modules joined by links. Immutable; arrays are indexed by the position of a module in `modules`.

    The arrays are computed once and shared: do not write to them. Two networks are equal if all their fields
    are. A network may be disconnected; only a circuit that needs more than one connected part of it is
    refused (see `distq.network.feasible`).

    Attributes:
        modules: at least one.
        links: at most one between two modules.
        name: free text.
        description: free text; in presets what is known and what is assumed about the shape.
        source: free text; where the description comes from.
        fabrics: switch fabrics through which some links make their pairs.

    Raises:
        NetworkError: there is no module, names repeat, or a link repeats, joins a module to itself, or names
            a module or fabric that does not exist; or a module lacks the communication qubits with which the pairs
            of a link are purified.
    """

    modules: tuple[Module, ...]
    links: tuple[Link, ...] = ()
    name: str = ""
    description: str = ""
    source: str = ""
    fabrics: tuple[Fabric, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", tuple(self.modules))
        object.__setattr__(self, "links", tuple(self.links))
        object.__setattr__(self, "fabrics", tuple(self.fabrics))
        for key in ("name", "description", "source"):
            if not isinstance(getattr(self, key), str):
                raise NetworkError(f"the {key} of a network must be a text, not {getattr(self, key)!r}")
        _check_modules(self.modules)
        _check_links(self.links, {m.name for m in self.modules}, self._names())
        _check_fabrics(self.fabrics, self.links)
        _check_purification(self.modules, self.links)

    def _names(self) -> str:
        return ", ".join(m.name for m in self.modules)

    @property
    def num_modules(self) -> int:
        """K."""
        return len(self.modules)

    @property
    def total_data(self) -> int:
        """Data qubits of all modules together."""
        return sum(m.data for m in self.modules)

    @cached_property
    def data_array(self) -> NDArray[np.int64]:
        """(k,) data qubits of each module."""
        return np.array([m.data for m in self.modules], np.int64)

    @cached_property
    def comm_array(self) -> NDArray[np.int64]:
        """(k,) communication qubits of each module for programs; `UNLIMITED` where there is no limit.

        Those that purification keeps for itself do not count.
        """
        all_of_them = np.array([UNLIMITED if m.comm is None else m.comm for m in self.modules], np.int64)
        return np.where(all_of_them < UNLIMITED, all_of_them - self.purification_comm, UNLIMITED)

    @cached_property
    def purification_comm(self) -> NDArray[np.int64]:
        """(k,) communication qubits of each module that are kept free of programs, so that pairs can be purified there.

        Enough for one pair at a time, beside the qubits on which the program wants it.
        """
        result = np.zeros(len(self.modules), np.int64)
        for link, ends in zip(self.links, self.link_ends):
            if link.hardware is not None and link.hardware.purify is not None:
                result[ends] = np.maximum(result[ends], link.hardware.purify.comm_qubits - 1)
        return result

    @cached_property
    def link_ends(self) -> NDArray[np.int32]:
        """(number of links, 2) module indices of both ends, in the order of `links`."""
        index = self._index
        return np.array([[index[x.a], index[x.b]] for x in self.links], np.int32).reshape(-1, 2)

    @cached_property
    def link_of(self) -> NDArray[np.int32]:
        """(k, k) index of the link between two modules, -1 where there is none."""
        table = np.full((len(self.modules),) * 2, -1, np.int32)
        a, b = self.link_ends.T
        table[a, b] = table[b, a] = np.arange(len(self.links), dtype=np.int32)
        return table

    @cached_property
    def distances(self) -> NDArray[np.int32]:
        """(k, k) number of links on a shortest path, -1 where there is none."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        hops = shortest_path(csr_matrix(self.link_of >= 0), directed=False, unweighted=True)
        return np.where(np.isinf(hops), -1, hops).astype(np.int32)

    @cached_property
    def next_hop(self) -> NDArray[np.int32]:
        """(k, k) first module after a on the shortest path from a to b (lowest index among equals).

        It is a itself where a = b, and -1 where there is no path.
        """
        k, distances = len(self.modules), self.distances
        table = np.full((k, k), -1, np.int32)
        for a in range(k):
            # From the highest neighbour to the lowest, so that the lowest has the last word.
            for n in np.flatnonzero(self.link_of[a] >= 0)[::-1]:
                table[a, (distances[a] > 0) & (distances[n] == distances[a] - 1)] = n
            table[a, a] = a
        return table

    @cached_property
    def components(self) -> tuple[tuple[int, ...], ...]:
        """Connected parts, each as sorted module indices, in the order of their first module."""
        reachable = self.distances >= 0
        first = reachable.argmax(axis=1)
        return tuple(tuple(np.flatnonzero(first == f).tolist()) for f in np.unique(first))

    @property
    def connected(self) -> bool:
        """Whether every module reaches every other over links."""
        return len(self.components) == 1

    @cached_property
    def _index(self) -> dict[str, int]:
        return {m.name: i for i, m in enumerate(self.modules)}

    def index(self, name: str) -> int:
        """Position of the module called `name`."""
        found = self._index.get(name) if isinstance(name, Hashable) else None
        if found is None:
            raise NetworkError(f"no module is called {name!r}; the modules are {self._names()}")
        return found

    def fits(self, num_qubits: int) -> bool:
        """Whether a circuit on this many qubits has room here (see `distq.network.feasible.check_fits`)."""
        from distq.errors import InfeasibleError
        from distq.network.feasible import check_fits

        try:
            check_fits(self, num_qubits)
        except InfeasibleError:
            return False
        return True

    def subnetwork(self, indices: Iterable[int]) -> Network:
        """The network of the modules at these positions, in this order, with the links among them."""
        from dataclasses import replace

        modules = tuple(self.modules[i] for i in indices)
        names = {m.name for m in modules}
        return replace(self, modules=modules, links=tuple(x for x in self.links if x.a in names and x.b in names))

    @property
    def timed(self) -> bool:
        """Whether any time is stated; else schedules count every operation as one unit."""
        module_times = ("one_qubit_time", "two_qubit_time", "measure_time", "reset_time")
        return any(
            getattr(m.hardware, key) is not None for m in self.modules if m.hardware for key in module_times
        ) or any(x.hardware.timed for x in self.links if x.hardware)

    def with_hardware(
        self,
        modules: PerModule = None,
        links: PerLink = None,
        fabrics: Sequence[Fabric] | None = None,
    ) -> Network:
        """The same network with other hardware.

        Args:
            modules: for every module, or one for each (a list in the order of the modules, or by name); modules
                that are not named keep theirs. None: all keep theirs.
            links: likewise; a mapping goes by the names of both ends, in any order.
            fabrics: replace those that there are; None keeps them.

        Raises:
            NetworkError: a list has a wrong length, a name is not known, or a value does not fit.
        """
        from dataclasses import replace

        names = [m.name for m in self.modules]
        for_modules = _spread("modules", modules, names, [m.hardware for m in self.modules])
        ends: list[Hashable] = [frozenset((x.a, x.b)) for x in self.links]
        by_ends = {frozenset(k): v for k, v in links.items()} if isinstance(links, Mapping) else links
        for_links = _spread("links", by_ends, ends, [x.hardware for x in self.links])
        return replace(
            self,
            modules=tuple(replace(m, hardware=h) for m, h in zip(self.modules, for_modules)),
            links=tuple(replace(x, hardware=h) for x, h in zip(self.links, for_links)),
            fabrics=self.fabrics if fabrics is None else tuple(fabrics),
        )

    def without_dead_links(self) -> Network:
        """The network without links whose rate is zero; itself where there are none."""
        from dataclasses import replace

        alive = tuple(x for x in self.links if x.hardware is None or x.hardware.rate != 0)
        return self if len(alive) == len(self.links) else replace(self, links=alive)

    def without_coupling(self) -> Network:
        """The network with every qubit of a module next to every other; itself where there are no coupling maps."""
        from dataclasses import replace

        if all(m.hardware is None or m.hardware.coupling is None for m in self.modules):
            return self
        none = {"coupling": None, "data_positions": None, "comm_positions": None}
        return self.with_hardware([m.hardware and replace(m.hardware, **none) for m in self.modules])

    def to_dict(self) -> dict[str, Any]:
        """The network as in a network file: `from_dict` gives an equal network."""
        texts = {key: value for key in ("name", "description", "source") if (value := getattr(self, key))}
        return {
            **texts,
            "modules": [m.to_dict() for m in self.modules],
            "links": [x.to_dict() for x in self.links],
            **({"fabrics": [f.to_dict() for f in self.fabrics]} if self.fabrics else {}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Network:
        """The network that a network file with this content describes.

        Raises:
            NetworkError: the content is not a valid description; the message names the key.
        """
        from distq.network.files import parse_network

        return parse_network(content)

    @classmethod
    def all_to_all(
        cls,
        k: int,
        data: Data,
        comm: Comm = 2,
        *,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """K modules m0, m1, ..., each linked to each other; capacities and hardware for all or for each."""
        from distq.network import topologies

        return topologies.all_to_all(k, data, comm).with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def line(
        cls,
        k: int,
        data: Data,
        comm: Comm = 2,
        *,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """K modules, each linked to the next."""
        from distq.network import topologies

        return topologies.line(k, data, comm).with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def ring(
        cls,
        k: int,
        data: Data,
        comm: Comm = 2,
        *,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """K modules, each linked to the next and the last to the first."""
        from distq.network import topologies

        return topologies.ring(k, data, comm).with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def grid(
        cls,
        rows: int,
        cols: int,
        data: Data,
        comm: Comm = 2,
        *,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """Rows x cols modules, row by row, each linked to its neighbours in its row and column."""
        from distq.network import topologies

        return topologies.grid(rows, cols, data, comm).with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def star(
        cls,
        k: int,
        data: Data,
        comm: Comm = 2,
        *,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """K modules, the first linked to all others."""
        from distq.network import topologies

        return topologies.star(k, data, comm).with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def tree(
        cls,
        branching: int,
        data: Data,
        comm: Comm = 2,
        *,
        depth: int | None = None,
        k: int | None = None,
        hardware: PerModule = None,
        link_hardware: PerLink = None,
        fabrics: Sequence[Fabric] = (),
    ) -> Network:
        """A tree with `branching` children a module; give its depth [links] or its number of modules k."""
        from distq.network import topologies

        tree = topologies.tree(branching, data, comm, depth=depth, k=k)
        return tree.with_hardware(hardware, link_hardware, fabrics)

    @classmethod
    def from_networkx(cls, graph: networkx.Graph, data: Data | None = None, comm: Comm = 2, name: str = "") -> Network:
        """Shaped like a networkx graph; node attributes `name`, `data`, `comm` win over the arguments."""
        from distq.network import topologies

        return topologies.from_networkx(graph, data, comm, name)

    @classmethod
    def from_rustworkx(
        cls, graph: rustworkx.PyGraph, data: Data | None = None, comm: Comm = 2, name: str = ""
    ) -> Network:
        """Shaped like a rustworkx graph; node payloads with `name`, `data`, `comm` win over the arguments."""
        from distq.network import topologies

        return topologies.from_rustworkx(graph, data, comm, name)


def _capacity(name: str, key: str, value: object, least: int) -> int:
    wanted = f"an integer of at least {least}" + (", or None for unlimited" if key == "comm" else "")
    if isinstance(value, (bool, np.bool_)):
        raise NetworkError(f"module {name!r}: {key} is {value!r}, but must be {wanted}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise NetworkError(f"module {name!r}: {key} is {value!r}, but must be {wanted}") from None
    if not least <= number < UNLIMITED:
        raise NetworkError(f"module {name!r}: {key} is {number}, but must be {wanted} (and below {UNLIMITED})")
    return number


def _check_modules(modules: tuple[Module, ...]) -> None:
    if not modules:
        raise NetworkError("a network needs at least one module")
    seen: dict[str, int] = {}
    for i, module in enumerate(modules):
        if not isinstance(module, Module):
            raise NetworkError(f"modules[{i}] is {module!r}, but must be a Module")
        if module.name in seen:
            raise NetworkError(
                f"modules[{seen[module.name]}] and modules[{i}] are both called {module.name!r}: rename one"
            )
        seen[module.name] = i


def _check_links(links: tuple[Link, ...], known: set[str], names: str) -> None:
    seen: dict[frozenset[str], int] = {}
    for i, link in enumerate(links):
        if not isinstance(link, Link):
            raise NetworkError(f"links[{i}] is {link!r}, but must be a Link")
        for key in ("a", "b"):
            end = getattr(link, key)
            if not isinstance(end, str) or end not in known:
                raise NetworkError(f"links[{i}].{key} names {end!r}, which is no module; the modules are {names}")
        if link.a == link.b:
            raise NetworkError(f"links[{i}] joins module {link.a!r} to itself: remove it")
        ends = frozenset((link.a, link.b))
        if ends in seen:
            raise NetworkError(
                f"links[{seen[ends]}] and links[{i}] both join {link.a!r} and {link.b!r}: remove one of them"
            )
        seen[ends] = i


def _check_purification(modules: tuple[Module, ...], links: tuple[Link, ...]) -> None:
    comm = {m.name: m.comm for m in modules}
    for link in links:
        purify = link.hardware.purify if link.hardware else None
        for name in (link.a, link.b) if purify else ():
            has = comm[name]
            if purify is not None and has is not None and has < purify.comm_qubits:
                raise NetworkError(
                    f"the link {link.a} - {link.b} purifies its pairs ({purify.protocol}, rounds = {purify.rounds}, "
                    f"{purify.scheme}), which takes {purify.comm_qubits} communication qubits at each end, but module "
                    f"{name!r} has {has}: give it more, take fewer rounds, or leave purify out"
                )


def _check_fabrics(fabrics: tuple[Fabric, ...], links: tuple[Link, ...]) -> None:
    for i, fabric in enumerate(fabrics):
        if not isinstance(fabric, Fabric):
            raise NetworkError(f"fabrics[{i}] is {fabric!r}, but must be a Fabric")
    names = [f.name for f in fabrics]
    for name in names:
        if names.count(name) > 1:
            raise NetworkError(f"two switch fabrics are both called {name!r}: rename one")
    for link in links:
        wanted = link.hardware.fabric if link.hardware else None
        if wanted is not None and wanted not in names:
            known = ", ".join(names) or "none"
            raise NetworkError(
                f"the link {link.a} - {link.b} goes through {wanted!r}, which is no fabric; the fabrics are {known}"
            )


def _spread(key: str, value: Any, names: Sequence[Hashable], old: list[Any]) -> list[Any]:
    """One entry for each name from a value for all, a list, or a mapping by name."""
    if value is None:
        return old
    if isinstance(value, Mapping):
        unknown = [n for n in value if n not in names]
        if unknown:
            shown = " - ".join(sorted(unknown[0])) if isinstance(unknown[0], frozenset) else unknown[0]
            raise NetworkError(f"hardware is given for {shown!r}, which is not among the {key} of the network")
        return [value.get(n, o) for n, o in zip(names, old)]
    if isinstance(value, Sequence):
        if len(value) != len(names):
            raise NetworkError(f"hardware lists {len(value)} entries for {len(names)} {key}: give one for each")
        return list(value)
    return [value] * len(names)
