"""The errors distq raises on purpose. Each message says what is wrong, where, and what to do."""

from __future__ import annotations


class DistqError(Exception):
    """Root of all errors that distq raises; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(DistqError):
    """An option or argument has a value that distq does not know; the message lists the valid ones."""

    exit_code = 2


class InputError(DistqError):
    """A circuit or a program directory cannot be read, or holds something that is not supported."""

    exit_code = 3


class NetworkError(DistqError):
    """A network description is not valid (names, capacities, links, files)."""

    exit_code = 3


class InfeasibleError(DistqError):
    """The circuit cannot be carried out on this network: qubits, communication qubits or links are missing."""

    exit_code = 4


class VerificationError(DistqError):
    """The program does not compute the circuit, or breaks a rule of the network."""

    exit_code = 5


class MissingExtraError(DistqError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_code = 2

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'distq[{extra}]'")
