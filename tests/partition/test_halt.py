"""A time limit and Ctrl-C end the search with the best so far; the program still verifies."""

from __future__ import annotations

import os
import signal

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import QFTGate

import distq
from distq.errors import UsageError
from distq.partition.halt import Halt


def circuit(n: int = 10) -> QuantumCircuit:
    c = QuantumCircuit(n)
    c.append(QFTGate(n), range(n))
    return c.decompose()


NETWORK = distq.Network.all_to_all(3, data=4, comm=None)


def test_time_limit_that_is_hit():
    program = distq.compile(circuit(), NETWORK, effort="best", time_limit=1e-6)
    assert program.stats["reproducible"] is False
    assert program.stats["verified"]["ok"]


def test_time_limit_that_is_not_hit():
    program = distq.compile(circuit(), NETWORK, effort="fast", time_limit=1e6)
    assert program.stats["reproducible"] is True
    assert program.ebits == distq.compile(circuit(), NETWORK, effort="fast", verify="none").ebits


@pytest.mark.parametrize("value", [0, -1.0, "soon"])
def test_time_limit_must_be_positive(value):
    with pytest.raises(UsageError, match="positive number of seconds"):
        Halt(value)


@pytest.mark.parametrize("times", [1, 2])
def test_interrupt(times):
    """The first Ctrl-C in the search ends the search, the second the call; Python's handler is back afterwards."""
    said = []

    def progress(stage: str) -> None:
        said.append(stage)
        if stage == "partition" and said.count("partition") == 1:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    if times == 2:
        with pytest.raises(KeyboardInterrupt):
            distq.compile(circuit(), NETWORK, effort="best", progress=progress)
    else:
        program = distq.compile(circuit(), NETWORK, effort="best", progress=progress)
        assert program.stats["reproducible"] is False
        assert program.stats["verified"]["ok"]
        assert any("interrupted" in stage for stage in said)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
