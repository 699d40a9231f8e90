"""Long work beside the page: one thread that does the latest thing asked of it."""

import threading
from collections.abc import Callable


class Ticket:
    """What a running task may ask: whether it was `stopped` (show the best so far) or `superseded` (show nothing)."""

    def __init__(self) -> None:
        self.stopped = self.superseded = False
        self._ends = threading.Event()

    def end(self, *, stopped: bool = False) -> None:
        """Ask the task to end."""
        self.stopped, self.superseded = self.stopped or stopped, self.superseded or not stopped
        self._ends.set()

    def pause(self, seconds: float) -> bool:
        """Sleep unless asked to end; return whether to go on."""
        return not self._ends.wait(seconds)


class Latest:
    """Run tasks in a thread, one at a time; a newer task replaces the running one and any that waits.

    ``on_error(error)`` is called in that thread when a task raises, unless it was superseded.

    Examples
    --------
    >>> done = []
    >>> jobs = Latest(done.append)
    >>> jobs.submit(lambda ticket: done.append("ran"))
    >>> jobs.wait(10), done
    (True, ['ran'])
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._lock, self._idle = threading.Lock(), threading.Event()
        self._current: Ticket | None = None
        self._waiting: Callable[[Ticket], None] | None = None
        self._idle.set()

    def submit(self, task: Callable[[Ticket], None]) -> None:
        """Run ``task(ticket)`` once the present task, which is asked to end, has ended."""
        with self._lock:
            self._waiting = task
            if self._current is not None:
                self._current.end()
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> bool:
        """Ask the running task to end with the best so far; return whether there was one."""
        with self._lock:
            self._waiting = None
            if self._current is not None:
                self._current.end(stopped=True)
            return not self._idle.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; return whether that came true within `timeout` seconds."""
        return self._idle.wait(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                task, self._waiting = self._waiting, None
                self._current = ticket = None if task is None else Ticket()
                if task is None:
                    self._idle.set()
                    return
            try:
                task(ticket)
            # Nobody waits for this thread: an error that is not shown in the page is lost.
            except Exception as error:
                if not ticket.superseded:
                    self._on_error(error)
