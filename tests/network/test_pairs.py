"""Formulas of pairs against circuits on density matrices that are written here, gate by gate, and against sampling."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.errors import UsageError
from distq.network import pairs
from distq.network.pair_states import Noise, correlations, density, fidelity, round_of, stored, swapped, twirled

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
H = (X + Z) / math.sqrt(2)
RX = (ONE - 1j * X) / math.sqrt(2)
PHI = np.array([1, 0, 0, 1]) / math.sqrt(2)
SMALL = settings(max_examples=40, derandomize=True, deadline=None)

fidelities = st.floats(0.3, 1)
probabilities = st.floats(0, 0.3)


@st.composite
def weights(draw):
    """Phi+ at least as frequent as all others together."""
    parts = np.array([draw(st.floats(0, 1)) for _ in range(3)])
    rest = draw(st.floats(0, 0.5))
    return (1 - rest, *(rest * parts / parts.sum() if parts.sum() > 0 else np.full(3, rest / 3)).tolist())


@st.composite
def states(draw):
    """Any density matrix with fidelity above 1/2 to phi+."""
    numbers = np.array([[complex(draw(st.floats(-1, 1)), draw(st.floats(-1, 1))) for _ in range(4)] for _ in range(4)])
    noise = numbers @ numbers.conj().T + 1e-3 * np.eye(4)
    share = draw(st.floats(0.55, 0.99))
    return share * np.outer(PHI, PHI) + (1 - share) * noise / np.trace(noise)


class Circuit:
    """A density matrix on n qubits."""

    def __init__(self, *parts):
        self.rho = np.array([[1.0]])
        for part in parts:
            self.rho = np.kron(self.rho, part)
        self.n = int(math.log2(len(self.rho)))

    def embed(self, matrix, qubits):
        full = np.zeros((2**self.n,) * 2, complex)
        rest = [q for q in range(self.n) if q not in qubits]
        for i in range(2**self.n):
            bits = [(i >> (self.n - 1 - q)) & 1 for q in range(self.n)]
            column = int("".join(str(bits[q]) for q in qubits), 2)
            for row in range(len(matrix)):
                new = bits.copy()
                for k, q in enumerate(qubits):
                    new[q] = (row >> (len(qubits) - 1 - k)) & 1
                assert all(new[q] == bits[q] for q in rest)
                full[int("".join(map(str, new)), 2), i] += matrix[row, column]
        return full

    def gate(self, matrix, *qubits):
        u = self.embed(matrix, qubits)
        self.rho = u @ self.rho @ u.conj().T

    def cx(self, a, b):
        self.gate(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]), a, b)

    def channel(self, kraus, *qubits):
        ops = [self.embed(k, qubits) for k in kraus]
        self.rho = sum(k @ self.rho @ k.conj().T for k in ops)

    def depolarise(self, p, *qubits):
        """With probability p a Pauli at random, the identity included."""
        words = [np.array([[1.0]])]
        for _ in qubits:
            words = [np.kron(w, pauli) for w in words for pauli in (ONE, X, Y, Z)]
        size = len(words)
        chances = [1 - p + p / size] + [p / size] * (size - 1)
        self.channel([math.sqrt(c) * w for c, w in zip(chances, words)], *qubits)

    def flip(self, p, qubit):
        """The outcome of this qubit is read wrongly with probability p."""
        self.channel([math.sqrt(1 - p) * ONE, math.sqrt(p) * X], qubit)

    def traced(self, keep):
        """(4, 4) state of the two qubits in `keep`."""
        tensor = self.rho.reshape((2,) * (2 * self.n))
        rest = [q for q in range(self.n) if q not in keep]
        axes = [*keep, *(self.n + q for q in keep)]
        for q in sorted(rest, reverse=True):
            n = tensor.ndim // 2
            tensor = np.trace(tensor, axis1=q, axis2=q + n)
            axes = [a - (a > q) - (a > q + n) for a in axes]
        return tensor.transpose(axes).reshape(4, 4)

    def project(self, matrix, *qubits):
        p = self.embed(matrix, qubits)
        self.rho = p @ self.rho @ p.conj().T


def purified(first, second, turn, noise=None):
    """Qubits: kept a, kept b, fresh a, fresh b. Turn, CX at both ends, measure, keep where outcomes agree."""
    noise = noise or Noise()
    c = Circuit(first, second)
    for a, b in ((0, 1), (2, 3)):
        if turn:
            c.gate(RX, a)
            c.gate(RX.conj(), b)
        c.depolarise(noise.one_qubit[0], a)
        c.depolarise(noise.one_qubit[1], b)
    for side in (0, 1):
        c.cx(side, side + 2)
        c.depolarise(noise.two_qubit[side], side, side + 2)
        c.flip(noise.flip[side], side + 2)
    c.project(np.diag([1, 0, 0, 1]), 2, 3)
    success = np.trace(c.rho).real
    return success, c.traced([0, 1]) / success


def test_published_checks():
    assert pairs.bbpssw(0.8)[0] == pytest.approx(0.7689, abs=5e-5)
    assert pairs.bbpssw(0.8)[1] == pytest.approx(0.8382, abs=5e-5)
    assert pairs.dejmps((0.8, 0.1, 0.06, 0.04))[1][0] == pytest.approx(0.793, abs=5e-4)
    assert pairs.dejmps((0.8, 0, 0.2, 0))[1][0] == pytest.approx(0.941, abs=5e-4)
    assert pairs.swap_fidelity(0.9, 0.8) == pytest.approx(0.9 * 0.8 + 0.1 * 0.2 / 3)
    assert pairs.depolarised(0.9, 2.0, 5.0) == pytest.approx(0.25 + 0.65 * math.exp(-0.8))
    # Dephasing of a Werner state, and of a mixture of Phi+ and Phi-.
    f, q = 0.9, 0.1 / 3
    assert pairs.dephased(pairs.werner(f), 1, 4)[0] == pytest.approx((f + q) / 2 + (f - q) / 2 * math.exp(-0.5))
    assert pairs.dephased((f, 0, 0, 1 - f), 1, 4)[0] == pytest.approx(0.5 + (f - 0.5) * math.exp(-0.5))


@SMALL
@given(fidelities, fidelities)
def test_bbpssw_is_its_circuit(f, g):
    success, state = purified(pairs.bell_state(pairs.werner(f)), pairs.bell_state(pairs.werner(g)), False)
    assert pairs.bbpssw(f, g) == pytest.approx((success, (PHI @ state @ PHI).real))
    if f == g:
        assert pairs.bbpssw(f) == pairs.bbpssw(f, f)


@SMALL
@given(weights(), weights())
def test_dejmps_is_its_circuit(w, v):
    success, state = purified(pairs.bell_state(w), pairs.bell_state(v), True)
    found, after = pairs.dejmps(w, v)
    assert found == pytest.approx(success)
    assert np.allclose(pairs.bell_state(after), state)
    assert sum(after) == pytest.approx(1)


@SMALL
@given(states(), states(), *[st.tuples(probabilities, probabilities)] * 3, st.sampled_from(["dejmps", "bbpssw"]))
def test_rounds_with_errors_are_their_circuit(first, second, one, two, flip, protocol):
    """Any states, errors at both ends; the turns before are found by trying all bilateral Cliffords here."""
    noise = Noise(one_qubit=one, two_qubit=two, flip=flip)
    success, table = round_of(correlations(first), correlations(second), protocol, noise)
    if protocol == "bbpssw":
        inputs = [pairs.bell_state(pairs.werner((PHI @ s @ PHI).real)) for s in (first, second)]
        expected, state = purified(*inputs, False, noise)
        assert success == pytest.approx(expected)
        assert np.allclose(density(table), state)
        return
    # DEJMPS: of the turned inputs one gives just this result, and Psi- is rarest in both.
    s = np.diag([1, 1j])
    group = [ONE, s, H, s @ H, H @ s, H @ s @ H]

    def rarest(state):
        turned = [np.kron(u, u.conj()) @ state @ np.kron(u, u.conj()).conj().T for u in group]
        least = min(pairs.bell_weights(t)[1] for t in turned)
        return [t for t in turned if pairs.bell_weights(t)[1] < least + 1e-9]

    results = [purified(a, b, True, noise) for a in rarest(first) for b in rarest(second)]
    assert any(success == pytest.approx(p) and np.allclose(density(table), r, atol=1e-7) for p, r in results)


@SMALL
@given(weights(), st.integers(1, 4), st.sampled_from(pairs.SCHEMES), st.sampled_from(pairs.PROTOCOLS))
def test_rounds_of_formulas_are_those_of_states(w, rounds, scheme, protocol):
    success, after = pairs.purified_weights(w, protocol, scheme, rounds)
    raw = kept = correlations(pairs.bell_state(w))
    for p in success:
        found, kept = round_of(kept, raw if scheme == "pumping" else kept, protocol, Noise())
        assert found == pytest.approx(p)
    found = pairs.bell_weights(density(twirled(kept) if protocol == "bbpssw" else kept))
    assert found[0] == pytest.approx(after[0])
    if w[0] > 0.51 and scheme == "nested":
        assert after[0] >= w[0] - 1e-12 or protocol == "dejmps"


@pytest.mark.parametrize("scheme", pairs.SCHEMES)
def test_nested_rounds_reach_one(scheme):
    _, after = pairs.purified_weights(pairs.werner(0.7), "dejmps", scheme, 8)
    assert (after[0] > 0.999) == (scheme == "nested")
    assert after[0] > 0.7


def amplitude_damping(g):
    return [np.array([[1, 0], [0, math.sqrt(1 - g)]]), np.array([[0, math.sqrt(g)], [0, 0]])]


def dephasing(p):
    return [math.sqrt(1 - p) * ONE, math.sqrt(p) * Z]


def waited(state, time, noise):
    """T1 and T2 by Kraus operators, on both halves."""
    c = Circuit(state)
    for q in (0, 1):
        c.channel(amplitude_damping(1 - math.exp(-time * noise.relaxation[q])), q)
        rest = math.exp(-time * (noise.dephasing[q] - noise.relaxation[q] / 2))
        c.channel(dephasing((1 - rest) / 2), q)
    return c.rho


@SMALL
@given(states(), *[st.tuples(st.floats(0, 1), st.floats(0, 1))] * 2, st.floats(0, 3))
def test_storage(state, relaxation, more, time):
    noise = Noise(relaxation=relaxation, dephasing=tuple(r / 2 + m for r, m in zip(relaxation, more)))
    found = density(stored(correlations(state), noise, pairs.fixed_wait(time)))
    assert np.allclose(found, waited(state, time, noise))


def test_storage_for_a_random_time():
    noise = Noise(relaxation=(0.1, 0.3), dephasing=(0.2, 0.25))
    state = pairs.bell_state((0.8, 0.1, 0.06, 0.04))
    p, slot = 0.3, 0.7
    expected = sum(p * (1 - p) ** n * waited(state, (n + 1) * slot, noise) for n in range(120))
    assert np.allclose(density(stored(correlations(state), noise, pairs.geometric_wait(slot, p))), expected)
    times = (np.arange(4000) + 0.5) * 0.01
    share = np.exp(-times / 2.0) * 0.01 / 2.0
    expected = sum(w * waited(state, t, noise) for w, t in zip(share, times))
    assert np.allclose(density(stored(correlations(state), noise, pairs.exponential_wait(2.0))), expected, atol=1e-5)


def test_storage_by_formula():
    state = pairs.werner(0.9)
    dephase = Noise(dephasing=(1 / 4, 1 / 4))
    found = stored(correlations(pairs.bell_state(state)), dephase, pairs.fixed_wait(1.0))
    assert np.allclose(pairs.bell_weights(density(found)), pairs.dephased(state, 1.0, 4.0))


@SMALL
@given(states(), states(), probabilities, probabilities, probabilities)
def test_swap_is_its_circuit(first, second, one, two, flip):
    """Bell measurement of the inner halves, and Paulis on the last qubit by its outcome."""
    noise = Noise(one_qubit=(one, 0), two_qubit=(two, 0), flip=(flip, 0))
    total = np.zeros((4, 4), complex)
    for x in (0, 1):
        for z in (0, 1):
            c = Circuit(first, second)
            c.cx(1, 2)
            c.depolarise(two, 1, 2)
            c.gate(H, 1)
            c.depolarise(one, 1)
            c.flip(flip, 1)
            c.flip(flip, 2)
            c.project(np.diag([1 - z, z]), 1)
            c.project(np.diag([1 - x, x]), 2)
            c.gate(np.linalg.matrix_power(Z, z) @ np.linalg.matrix_power(X, x), 3)
            total += c.traced([0, 3])
    assert np.allclose(density(swapped(correlations(first), correlations(second), noise)), total)


@SMALL
@given(weights(), weights(), weights())
def test_swaps_by_weights(w, v, u):
    table = swapped(swapped(*(correlations(pairs.bell_state(x)) for x in (w, v))), correlations(pairs.bell_state(u)))
    assert np.allclose(pairs.bell_weights(density(table)), pairs.swap_weights(w, v, u))
    f = [x[0] for x in (w, v, u)]
    found = pairs.swap_weights(*(pairs.werner(x) for x in f))
    assert found[0] == pytest.approx(pairs.swap_fidelity(*f))


def sampled(rng, success, scheme, p):
    """(elementary pairs, attempts, rounds) of one purified pair, by recursion."""

    def elementary():
        return np.array([1, rng.geometric(p), 0])

    def level(k):
        if k == 0:
            return elementary()
        cost = np.zeros(3, int)
        while True:
            cost += level(k - 1) + (elementary() if scheme == "pumping" else level(k - 1)) + np.array([0, 0, 1])
            if rng.random() < success[k - 1]:
                return cost

    return level(len(success))


@pytest.mark.parametrize("scheme", pairs.SCHEMES)
@pytest.mark.parametrize("success", [[], [0.7], [0.6, 0.8], [0.7, 0.5, 0.9]])
def test_costs(success, scheme):
    rng = np.random.default_rng(3)
    samples = np.array([sampled(rng, success, scheme, 0.4) for _ in range(3000)])
    slot, pause = 2.0, 5.0
    times = slot * samples[:, 1] + pause * samples[:, 2]
    cost = pairs.purification_cost(success, scheme, pairs.heralded_time(slot, 0.4), pause)
    for found, mean in ((samples[:, 0], cost.raw_pairs), (samples[:, 2], cost.rounds), (times, cost.time)):
        assert abs(found.mean() - mean) < 4 * found.std() / math.sqrt(len(found)) + 1e-9
    for s in (0.01, 0.1, 1.0):
        values = np.exp(-s * times)
        wait = pairs.purified_wait(success, scheme, pairs.geometric_wait(slot, 0.4), pause)
        assert abs(values.mean() - wait(s)) < 4 * values.std() / math.sqrt(len(values)) + 1e-9
    assert pairs.purified_wait(success, scheme, pairs.fixed_wait(1.0), pause)(0) == pytest.approx(1)


def test_several_generators_for_one_pair():
    rng = np.random.default_rng(1)
    first = rng.geometric(0.2, (20_000, 3)).min(axis=1) * 2.0 / 0.5
    assert first.mean() == pytest.approx(pairs.heralded_time(2.0, 0.2, 3, 0.5), rel=0.02)
    assert pairs.heralded_time(2.0, 1.0, 7) == 2.0
    assert pairs.heralded_time(2.0, 0.25) == pytest.approx(8.0)


def test_never():
    assert pairs.purification_cost([0.5, 0.0], "pumping", 1.0).time == math.inf
    assert pairs.dejmps((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5))[0] == 0.5
    assert pairs.dejmps((1, 0, 0, 0), (0, 0, 1, 0)) == (0.0, (1, 0, 0, 0))
    perfect = correlations(pairs.bell_state((1, 0, 0, 0)))
    assert round_of(perfect, perfect, "dejmps", Noise(flip=(1, 0)))[0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pairs.werner(1.1), "fidelity of a pair is 1.1"),
        (lambda: pairs.purified_weights(pairs.werner(0.9), "bbps", "nested", 1), "protocol is 'bbps'.*bbpssw, dejmps"),
        (lambda: pairs.purified_weights(pairs.werner(0.9), "dejmps", "pump", 1), "scheme is 'pump'.*pumping, nested"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_tables_and_back():
    state = pairs.bell_state((0.7, 0.1, 0.15, 0.05))
    assert np.allclose(density(correlations(state)), state)
    assert fidelity(correlations(state)) == pytest.approx(0.7)
    assert np.allclose(pairs.bell_weights(state), (0.7, 0.1, 0.15, 0.05))
    assert [pairs.comm_qubits_needed(r, s) for r in (0, 1, 3) for s in pairs.SCHEMES] == [1, 1, 2, 2, 2, 4]
