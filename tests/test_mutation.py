"""A sample of benchmarks/mutation.py: no broken program may pass."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from distq.testing import DIRECTORY_FAULTS, FAULTS

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "mutation.py"


@pytest.fixture(scope="module")
def harness() -> Any:
    spec = importlib.util.spec_from_file_location("mutation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_broken_small_program_passes(harness: Any) -> None:
    table = harness.run(small=8, large=0, per_kind=1)
    assert table.failures == []
    assert table.faulty >= 300
    assert table.total("caught") >= 200
    # Nearly all kinds occur in so many programs.
    assert len(table.counts) >= 0.85 * (len(FAULTS) + len(DIRECTORY_FAULTS))


def test_no_broken_large_program_passes(harness: Any) -> None:
    table = harness.run(small=0, large=1, per_kind=1)
    assert table.failures == []
    assert table.total("caught") >= 10
    assert table.total("unknown") == 0
