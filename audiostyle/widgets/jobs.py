"""Long work beside the page: one thread that always does the latest thing asked of it."""

import threading
from collections.abc import Callable


class Ticket:
    """What a running task may ask about itself.

    Attributes
    ----------
    stopped : bool
        The user pressed stop: keep the best so far and show it.
    superseded : bool
        Something newer was asked for: end soon and show nothing.
    """

    def __init__(self) -> None:
        self.stopped = False
        self.superseded = False
        self._ends = threading.Event()

    @property
    def ending(self) -> bool:
        """Whether to end, for either reason."""
        return self._ends.is_set()

    def end(self, *, stopped: bool = False) -> None:
        """Ask the task to end: stopped by the user, or superseded."""
        self.stopped, self.superseded = self.stopped or stopped, self.superseded or not stopped
        self._ends.set()

    def pause(self, seconds: float) -> bool:
        """Sleep unless asked to end; returns whether to go on."""
        return not self._ends.wait(seconds)


class Latest:
    """Run tasks in a thread, one at a time; a newer task replaces the running one and any that waits.

    Parameters
    ----------
    on_error : callable
        ``on_error(error)`` in that thread when a task raises, unless it was superseded.

    Examples
    --------
    >>> done = []
    >>> jobs = Latest(done.append)
    >>> jobs.submit(lambda ticket: done.append("ran"))
    >>> jobs.wait(10)
    True
    >>> done
    ['ran']
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._current: Ticket | None = None
        self._waiting: Callable[[Ticket], None] | None = None
        self._idle = threading.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Whether a task is running or waits."""
        return not self._idle.is_set()

    def submit(self, task: Callable[[Ticket], None]) -> None:
        """Run ``task(ticket)`` as soon as the present task has ended, which is asked to."""
        with self._lock:
            self._waiting = task
            if self._current is not None:
                self._current.end()
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """Ask the running task to end with the best so far, and forget the one that waits."""
        with self._lock:
            self._waiting = None
            if self._current is not None:
                self._current.end(stopped=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; returns whether that came true within `timeout` seconds."""
        return self._idle.wait(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                task, self._waiting = self._waiting, None
                if task is None:
                    self._current = None
                    self._idle.set()
                    return
                ticket = self._current = Ticket()
            try:
                task(ticket)
            # Nobody waits for this thread: an error that is not shown in the page is lost.
            except Exception as error:
                if not ticket.superseded:
                    self._on_error(error)
