"""Random circuits on random networks: compiled, saved, loaded, verified by every method, and run on Aer.

The long run is benchmarks/property_run.py.
"""

from __future__ import annotations

from hypothesis import given, settings

from distq.testing import UNITARY_FEATURES, CompileCase, check_case, compile_cases, random_case


@settings(max_examples=30, derandomize=True, deadline=None)
@given(compile_cases(max_qubits=5, max_gates=12))
def test_programs_do_what_their_circuits_do(case: CompileCase) -> None:
    report = check_case(case, shots=0)
    assert report.problems == []
    assert report.verified["symbolic"]
    assert report.verified["statevector"]


@settings(max_examples=15, derandomize=True, deadline=None)
@given(compile_cases(min_qubits=2, max_qubits=4, max_gates=14))
def test_programs_give_the_counts_of_their_circuits_on_aer(case: CompileCase) -> None:
    report = check_case(case, shots=400, methods=())
    assert report.problems == []


@settings(max_examples=15, derandomize=True, deadline=None)
@given(compile_cases(min_qubits=3, max_qubits=6, max_gates=25, features=("clifford", "swap", "measure", "reset")))
def test_clifford_programs_have_the_flows_of_their_circuits(case: CompileCase) -> None:
    report = check_case(case, shots=0, methods=("symbolic", "stabilizer"))
    assert report.problems == []
    assert report.verified["stabilizer"]


def test_a_case_that_once_failed() -> None:
    """An exchange of a qubit that was flipped together with its copy before."""
    case = random_case(23752, min_qubits=2, max_qubits=6, max_gates=20, features=UNITARY_FEATURES)
    assert check_case(case, shots=0).problems == []


def test_gates_that_add_up_once_an_outcome_is_known() -> None:
    """In one branch a CCX on a measured qubit vanishes, and parts of the gates around it cancel."""
    assert check_case(random_case(1031768), shots=0, options={"effort": "fast"}).problems == []
