"""For the tests of distq and of your own passes: random circuits and networks, and fault injection.

>>> import random
>>> from distq.testing import RandomChoices, random_circuit
>>> random_circuit(RandomChoices(1), num_qubits=3, num_gates=5).num_qubits
3
"""

from distq.testing import gate_faults as _gate_faults  # noqa: F401  (registers its kinds)
from distq.testing import parity_faults as _parity_faults  # noqa: F401  (registers its kinds)
from distq.testing import reuse_faults as _reuse_faults  # noqa: F401  (registers its kinds)
from distq.testing import witness_faults as _witness_faults  # noqa: F401  (registers its kinds)
from distq.testing.checks import CaseReport, check_case, same_distribution, verify_with
from distq.testing.directory_faults import (
    DIRECTORY_FAULTS,
    BrokenDirectory,
    Directory,
    directory_mutations,
    write_files,
)
from distq.testing.faults import FAULTS, Mutant, mutations
from distq.testing.mutation_run import RULE_KINDS, VERDICTS, MutationTable, mutate_case
from distq.testing.random_circuits import (
    FEATURES,
    TOPOLOGIES,
    UNITARY_FEATURES,
    WRITTEN_OUT,
    Choices,
    RandomChoices,
    random_circuit,
    random_network,
)
from distq.testing.reuse_cases import passing_circuit, random_reuse_case
from distq.testing.strategies import (
    CompileCase,
    circuits,
    clifford_circuits,
    compile_cases,
    networks,
    random_case,
)

__all__ = [
    "DIRECTORY_FAULTS",
    "FAULTS",
    "FEATURES",
    "RULE_KINDS",
    "TOPOLOGIES",
    "UNITARY_FEATURES",
    "VERDICTS",
    "WRITTEN_OUT",
    "BrokenDirectory",
    "CaseReport",
    "Choices",
    "CompileCase",
    "Directory",
    "Mutant",
    "MutationTable",
    "RandomChoices",
    "check_case",
    "circuits",
    "clifford_circuits",
    "compile_cases",
    "directory_mutations",
    "mutate_case",
    "mutations",
    "networks",
    "passing_circuit",
    "random_case",
    "random_circuit",
    "random_network",
    "random_reuse_case",
    "same_distribution",
    "verify_with",
    "write_files",
]
