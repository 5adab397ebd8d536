"""Pairs of links with their hardware: purified, relayed, and what networks say about it."""

import numpy as np
import pytest

from distq.errors import NetworkError
from distq.network import pairs
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Link, Module, Network
from distq.network.pair_states import (
    Noise,
    correlations,
    density,
    fidelity,
    link_pair_fidelity,
    link_pair_state,
    of_hardware,
    purified_pair,
    relay_fidelity,
    relay_state,
    round_of,
    round_time,
    stored,
)
from distq.network.presets import preset, preset_names
from distq.network.purify import Purify

LINK = LinkHardware(attempt_time=1e-5, success_probability=0.02, fidelity=0.85, latency=3e-6)


def two(link, comm=3, **hardware):
    return Network.line(2, 1, comm, hardware=ModuleHardware(**hardware), link_hardware=link)


@pytest.mark.parametrize("scheme", pairs.SCHEMES)
@pytest.mark.parametrize("protocol", pairs.PROTOCOLS)
def test_perfect_modules_give_the_formulas(scheme, protocol):
    for rounds in (1, 2, 3):
        purify = Purify(rounds, protocol, scheme)
        found = purified_pair(two(LINK, 4), 0, purify)
        success, weights = pairs.purified_weights(pairs.werner(0.85), protocol, scheme, rounds)
        assert found.fidelity == pytest.approx(weights[0])
        assert found.success == pytest.approx(success)
        cost = pairs.purification_cost(success, scheme, 5e-4, 3e-6)
        assert (found.raw_pairs, found.time) == pytest.approx((cost.raw_pairs, cost.time))
        assert found.comm_qubits == (2 if scheme == "pumping" else rounds + 1)


def test_two_rounds_with_memories_step_by_step():
    """Pumping: the kept pair waits for a fresh one, a round, and so on."""
    memory = {"comm_t1": 5e-3, "comm_t2": 2e-3, "two_qubit_error": 0.01, "measure_error": 0.02, "measure_time": 1e-5,
              "one_qubit_time": 1e-6, "two_qubit_time": 2e-6, "reset_time": 4e-6}  # fmt: skip
    network = two(LINK, 3, **memory)
    module = network.modules[0].hardware
    assert module is not None
    assert round_time(LINK, module, module) == pytest.approx(2e-5)
    noise, raw = Noise.of(module, module), correlations(LINK.pair_state())
    kept = raw
    for _ in range(2):
        kept = stored(kept, noise, pairs.geometric_wait(1e-5, 0.02))
        _, kept = round_of(kept, raw, "dejmps", noise)
        kept = stored(kept, noise, pairs.fixed_wait(2e-5))
    found = purified_pair(network, ("m0", "m1"), Purify(2))
    assert np.allclose(found.state, density(kept))
    assert found.fidelity < purified_pair(two(LINK), 0, Purify(2)).fidelity
    # Nested: the first pair of level 1 waits until the second is there.
    one = purified_pair(network, 0, Purify(1))
    wait = pairs.purified_wait(one.success, "nested", pairs.geometric_wait(1e-5, 0.02), 2e-5)
    level = correlations(one.state)
    _, kept = round_of(stored(level, noise, wait), level, "dejmps", noise)
    nested = purified_pair(network, 0, Purify(2, scheme="nested"))
    assert np.allclose(nested.state, density(stored(kept, noise, pairs.fixed_wait(2e-5))))


def test_what_the_network_states_is_taken():
    stated = two(LinkHardware(fidelity=0.8, purify=Purify(1, "bbpssw")))
    assert link_pair_fidelity(stated, 0) == pytest.approx(0.8382, abs=5e-5)
    assert np.allclose(link_pair_state(stated, ("m1", "m0")), purified_pair(stated, 0).state)
    assert purified_pair(stated, 0, None).fidelity == pytest.approx(0.8)
    plain = two(LINK)
    assert np.allclose(link_pair_state(plain, 0), LINK.pair_state())
    assert purified_pair(plain, 0).time == pytest.approx(5e-4)
    assert purified_pair(plain, 0).raw_pairs == 1
    assert purified_pair(Network.line(2, 1), 0).fidelity == pytest.approx(1)
    with pytest.raises(NetworkError, match="there is no link m0 - m2"):
        link_pair_state(Network.line(3, 1), ("m0", "m2"))
    with pytest.raises(NetworkError, match="there is no link number 5"):
        link_pair_state(plain, 5)


def test_states_are_states():
    """Of every preset, with each purification: Hermitian, trace 1, not negative."""
    for name in preset_names():
        network = preset(name)
        for purify in (None, Purify(1), Purify(3, "bbpssw"), Purify(2, scheme="nested")):
            state = purified_pair(network, 0, purify).state
            assert np.allclose(state, state.conj().T)
            assert np.trace(state) == pytest.approx(1)
            assert np.linalg.eigvalsh(state)[0] > -1e-9


def test_gate_errors_decide_whether_it_pays():
    """The effective error of the local gates at Oxford eats more than a round gains; of eth's nothing is known."""
    oxford, eth = preset("oxford-2025"), preset("eth-cryolink-2023")
    assert purified_pair(oxford, 0, Purify(1)).fidelity < purified_pair(oxford, 0).fidelity - 0.04
    assert purified_pair(eth, 0, Purify(1)).fidelity == pytest.approx(0.8420, abs=5e-5)


def test_dead_link():
    pair = purified_pair(two(LinkHardware(rate=0, fidelity=0.8)), 0, Purify(1))
    assert pair.time == np.inf


def test_relays():
    link = [LinkHardware(fidelity=f) for f in (0.9, 0.8, 0.95)]
    network = Network.line(4, 1, link_hardware=link)
    assert relay_fidelity(network, [0, 1, 2, 3]) == pytest.approx(pairs.swap_fidelity(0.9, 0.8, 0.95))
    assert relay_fidelity(network, ["m3", "m2", "m1"]) == pytest.approx(pairs.swap_fidelity(0.95, 0.8))
    assert np.allclose(relay_state(network, [1, 2]), link[1].pair_state())
    noisy = network.with_hardware(ModuleHardware(two_qubit_error=0.03, measure_error=0.01))
    assert relay_fidelity(noisy, [0, 1, 2, 3]) < pairs.swap_fidelity(0.9, 0.8, 0.95) - 0.03
    for bad in ([0], []):
        with pytest.raises(NetworkError, match="at least two modules"):
            relay_state(network, bad)
    with pytest.raises(NetworkError, match="there is no link m0 - m2"):
        relay_state(network, [0, 2])


def test_relay_turns_links_that_point_the_other_way():
    """The first qubit of a state is that of the link's first module; damping of one half must stay on its side."""
    damped = np.diag([0.6, 0.1, 0, 0.3]).astype(complex)
    damped[0, 3] = damped[3, 0] = 0.4
    link = LinkHardware(state=damped.tolist())
    modules = (Module("a", 1), Module("b", 1), Module("c", 1))
    forwards = Network(modules, (Link("a", "b", link), Link("b", "c")))
    backwards = Network(modules, (Link("b", "a", link), Link("b", "c")))
    assert np.allclose(np.diag(relay_state(forwards, ["a", "b"])), [0.6, 0.1, 0, 0.3])
    assert np.allclose(np.diag(relay_state(backwards, ["a", "b"])), [0.6, 0, 0.1, 0.3])
    assert np.allclose(relay_state(forwards, ["a", "b", "c"]), damped)


def test_room_is_kept_free():
    network = Network.line(3, 1, [2, 4, None], link_hardware=[LinkHardware(purify=Purify(1)), None])
    assert network.purification_comm.tolist() == [1, 1, 0]
    assert network.comm_array.tolist() == [1, 3, 2**30]
    nested = LinkHardware(purify={"rounds": 3, "scheme": "nested"})
    assert Network.line(2, 1, 4, link_hardware=nested).comm_array.tolist() == [1, 1]
    with pytest.raises(NetworkError, match="module 'm0' has 3"):
        Network.line(2, 1, 3, link_hardware=nested)
    with pytest.raises(NetworkError, match="module 'm1' has 1"):
        Network.line(2, 1, [2, 1], link_hardware=LinkHardware(purify=Purify(1)))


@pytest.mark.parametrize("purify", [Purify(2), {"rounds": 2}, {"rounds": 2.0, "protocol": "dejmps"}])
def test_spellings(purify):
    link = LinkHardware(purify=purify)
    assert link.purify == Purify(2, "dejmps", "pumping")
    assert LinkHardware(**link.to_dict()) == link
    assert hash(link)


def test_results_are_kept():
    module = ModuleHardware()
    assert of_hardware(LINK, module, module, Purify(2)) is of_hardware(LINK, module, module, Purify(2))
    with pytest.raises(ValueError, match="read-only"):
        of_hardware(LINK, module, module, Purify(2)).state[0, 0] = 0
    assert fidelity(correlations(of_hardware(LINK, module, module, None).state)) == pytest.approx(0.85)
