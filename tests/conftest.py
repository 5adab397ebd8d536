"""How the whole suite runs on several worker processes: kernels are compiled once for all, and no worker idles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WARM = HERE / "warm_kernels.py"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Tests take from a millisecond to half a minute: workers that are done take tests from the others."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before workers start on the whole suite, two processes share the compilation of the kernels.

    It takes about a minute, or a few seconds where kernels are cached. Otherwise every worker compiles nearly all of
    them, because none is in the cache yet when all workers need it.
    """
    config = session.config
    whole = any(Path(a).resolve() in (HERE, HERE.parent) for a in config.args)
    if whole and getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        for part in [subprocess.Popen([sys.executable, WARM, name], cwd=HERE.parent) for name in ("search", "rest")]:
            part.wait()  # where one fails, a test will say why
