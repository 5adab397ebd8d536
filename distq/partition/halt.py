"""Ending a search early: a time limit, or the first Ctrl-C."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from distq.errors import UsageError


class Halt:
    """Says when to stop searching and to go on with the best found so far.

    Attributes:
        hit: a search was cut short, so that the answer depends on the computer's speed or the user's patience.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        """Count `time_limit` [s] from now; None: no limit.

        Raises:
            UsageError: the limit is not a positive number.
        """
        if time_limit is not None and not (isinstance(time_limit, (int, float)) and time_limit > 0):
            raise UsageError(f"time_limit is {time_limit!r}, but must be a positive number of seconds or None")
        self._end = math.inf if time_limit is None else time.monotonic() + time_limit
        self._interrupted = False
        self.hit = False

    def asked(self) -> bool:
        """Whether to stop now; a search that asks and gets True has been cut short."""
        if self._interrupted or time.monotonic() >= self._end:
            self.hit = True
        return self.hit

    @contextmanager
    def interruptible(self, tell: Callable[[str], None] | None = None) -> Iterator[None]:
        """Take the first Ctrl-C as a wish to stop searching; the second raises KeyboardInterrupt as ever.

        Only in the main thread and where Ctrl-C has Python's own handler: a caller who has another keeps it.

        Args:
            tell: is called with a remark when that happens.
        """
        usual: Any = signal.default_int_handler
        if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
            yield
            return

        def handler(signum: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, usual)
            self._interrupted = True
            if tell is not None:
                tell("interrupted: going on with the best placement so far")

        signal.signal(signal.SIGINT, handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)
