"""Long work beside the page: one task at a time, and always the latest thing asked for."""

import threading
from collections.abc import Callable


class Ticket:
    """What a running task may ask: whether it was `stopped` (show the best so far) or `superseded` (show nothing)."""

    def __init__(self) -> None:
        self.stopped = self.superseded = False
        self.ended = threading.Event()

    def end(self, *, stopped: bool = False) -> None:
        """Ask the task to end."""
        self.stopped, self.superseded = self.stopped or stopped, self.superseded or not stopped
        self.ended.set()


class Latest:
    """Run tasks in threads, one at a time; a newer task supersedes the running one and any that waits.

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
        self._on_error, self._running = on_error, threading.Lock()
        self._ticket, self._thread = Ticket(), threading.Thread()

    def submit(self, task: Callable[[Ticket], None]) -> None:
        """Run ``task(ticket)`` once the present task, which is asked to end, has ended."""
        self._ticket.end()
        self._ticket = Ticket()
        self._thread = threading.Thread(target=self._work, args=(task, self._ticket), daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Ask the latest task to end with the best so far; return whether there is one."""
        self._ticket.end(stopped=True)
        return self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; return whether that came true within `timeout` seconds."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self, task: Callable[[Ticket], None], ticket: Ticket) -> None:
        with self._running:
            if ticket.superseded:
                return
            try:
                task(ticket)
            # Nobody waits for this thread: an error that is not shown in the page is lost.
            except Exception as error:
                if not ticket.superseded:
                    self._on_error(error)
