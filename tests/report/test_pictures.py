from __future__ import annotations

import pytest
from program_samples import HANDMADE, fan_out, finish, oxford_network, random_program, state_teleport, teleported_cz

from distq.network.model import Link, Module, Network
from distq.program.compiled import CompiledProgram
from distq.program.order import canonical
from distq.program.types import ProgramBuilder
from distq.report.summary import ebit_table, module_table
from distq.report.timeline import network_picture, timeline
from distq.schedule.asap import Durations, asap


def test_timeline_of_a_teleported_cz() -> None:
    assert timeline(canonical(teleported_cz())) == (
        "time        0  1 2    3     4 5 6    7\n"
        "A\n"
        "  d[0] q0   ───●─────────────────────Z?r0── q0\n"
        "  c[0]      E0─⊕─M>m0──────────────────────\n"
        "B\n"
        "  d[0] q1   ────────────────●────────────── q1\n"
        "  c[0]      E0────────X?r0──●─H─M>m0───────\n"
        "Bell pairs\n"
        "  A - B     E0·····························\n"
        "messages\n"
        "  A → B     ··········m0>r0················\n"
        "  B → A     ·························m0>r0·\n"
    )


def test_timeline_shows_every_event() -> None:
    for name in HANDMADE:
        form = canonical(HANDMADE[name]())
        text = timeline(form)
        for pair in range(form.ebits):
            assert sum(line.count(f"E{pair}") for line in text.splitlines()) == 3  # two qubits and a link
        assert sum(line.count(">r") for line in text.splitlines()) == (form.bit_kind == 1).sum()
        assert sum(line.count("M>m") for line in text.splitlines()) == (form.bit_kind == 0).sum()


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_detailed_timeline_keeps_to_the_width(width: int) -> None:
    form = canonical(fan_out())
    for line in timeline(form, width, form="detailed").splitlines():
        assert len(line) <= width + 4  # the names of outputs stand behind the last block


def test_timeline_of_other_durations_and_of_compiled_programs() -> None:
    form = canonical(state_teleport())
    slow = asap(form, Durations(pair=0.25, measure=3.5))
    assert timeline(CompiledProgram(form, slow)) == timeline(form, schedule=slow)
    assert timeline(form, schedule=slow).splitlines()[0].split()[1:4] == ["0", "1", "2"]
    assert timeline(form, schedule=slow) != timeline(form)


@pytest.mark.parametrize("seed", range(20))
def test_random_timelines(seed: int) -> None:
    form = canonical(random_program(seed, rows=60))
    for style in ("auto", "detailed", "summary"):
        text = timeline(form, 80, form=style)
        assert text.endswith("\n")
        assert all(m.name in text for i, m in enumerate(form.network.modules) if i in set(form.row_module().tolist()))


def test_long_programs_are_summarised() -> None:
    form = canonical(random_program(3, rows=5000, modules=3))
    text = timeline(form, 90)
    lines = text.splitlines()
    assert len(lines) < 40
    assert all(len(line) <= 90 for line in lines)
    assert "busy qubits" in text
    pairs = [int(line.split()[-1]) for line in lines if " - " in line]
    assert sum(pairs) == form.ebits
    messages = next(line for line in lines if line.startswith("messages"))
    assert int(messages.split()[-1]) == (form.bit_kind == 1).sum()


def test_only_the_busiest_links_are_shown() -> None:
    from distq.ops import Op

    network = Network.all_to_all(12, 1, 1)
    b = ProgramBuilder(network)
    for i, (x, y) in enumerate(network.link_ends.tolist()):
        for _ in range(2 if i >= 30 else 1):
            b.add(Op.EPR, (b.qubit(x, 1, 0), b.qubit(y, 1, 0)), link=i)
    lines = timeline(canonical(finish(b, [], [])), form="summary").splitlines()
    assert sum(" - " in line for line in lines) == 40
    assert "  and 26 links more, with 26 pairs" in lines


def test_busy_shares_are_right() -> None:
    from distq.ops import Op

    b = ProgramBuilder(Network((Module("A", 2, 0),)))
    for _ in range(40):
        b.add(Op.H, (b.qubit(0, 0, 0),))
    for _ in range(10):
        b.add(Op.H, (b.qubit(0, 0, 1),))
    text = timeline(canonical(finish(b, [], [])), 60, form="summary")
    line = next(x for x in text.splitlines() if "A data" in x)
    assert line.endswith("2 x 62%")  # (40 + 10) / (2 * 40)
    bar = line[len("  A communication") :][:-9].strip()
    assert bar[0] == "█"
    assert bar[-1] == "▄"


def test_nothing_happens() -> None:
    assert timeline(canonical(finish(ProgramBuilder(oxford_network()), [], []))).startswith("Nothing happens")
    with pytest.raises(ValueError, match="detailed"):
        timeline(canonical(teleported_cz()), form="long")


def _links_drawn(text: str) -> set[tuple[int, int]]:
    """Follow every arc of a picture from its upper to its lower end."""
    rows = [line for line in text.splitlines()[1:] if " comm" in line]
    cut = max(line.index(" comm") for line in rows) + 5
    arcs = [line[cut:].ljust(max(len(x) for x in rows) - cut) for line in rows]
    found = set()
    for column in range(len(arcs[0])):
        above = None
        for row, line in enumerate(arcs):
            if line[column] in "┬╮":
                above = row
            elif line[column] in "┴╯":
                assert above is not None
                found.add((above, row))
                above = None
        assert above is None
    return found


_NETWORKS = [
    *(Network.line(4, 2), Network.ring(6, 2), Network.grid(3, 3, 2), Network.star(7, 2), Network.all_to_all(4, 2)),
    Network.tree(2, 2, k=7),
    Network((Module("A", 10, None), Module("long-name", 1, 3), Module("C", 2, 0)), (Link("C", "A"),)),
]


@pytest.mark.parametrize("network", _NETWORKS, ids=lambda n: n.name)
def test_network_pictures_show_the_links(network: Network) -> None:
    text = network_picture(network)
    assert _links_drawn(text) == {tuple(sorted(e)) for e in network.link_ends.tolist()}
    for m in network.modules:
        assert any(m.name in line and f"{m.data} data" in line for line in text.splitlines())


def test_pictures_of_large_networks() -> None:
    assert "every module is linked to every other" in network_picture(Network.all_to_all(8, 2))
    text = network_picture(Network.grid(6, 6, 2), 80)
    assert "m7   2 data  2 comm  linked to m1, m6, m8, m13" in text
    assert all(len(line) <= 82 for line in text.splitlines())
    hub = network_picture(Network.star(60, 2), 80)
    assert "linked to 59 modules" in hub
    assert network_picture(Network((Module("solo", 1, 0),))).splitlines() == [
        "1 module, 0 links",
        "  solo  1 data  0 comm",
    ]


def test_tables() -> None:
    form = canonical(fan_out())
    assert ebit_table(form).splitlines()[2:] == ["m0 - m1      1", "m1 - m2      1", "all          2"]
    assert ebit_table(CompiledProgram(form, asap(form))) == ebit_table(form)
    rows = module_table(CompiledProgram(form, asap(form))).splitlines()
    assert [row.split() for row in rows[2:]] == [
        ["m0", "1", "of", "2", "1", "of", "2", "1", "7"],
        ["m1", "1", "of", "2", "2", "of", "2", "1", "9"],
        ["m2", "1", "of", "2", "1", "of", "2", "1", "5"],
    ]
    assert len({len(row) for row in rows[1:]}) == 1
