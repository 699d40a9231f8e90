import threading

from audiostyle.widgets.jobs import Latest

WAIT = 120


def started(jobs, work):
    """Submit a task that waits for the release that is returned before it does its work."""
    entered, release = threading.Event(), threading.Event()

    def task(ticket):
        entered.set()
        release.wait(WAIT)
        work(ticket)

    jobs.submit(task)
    assert entered.wait(WAIT)
    return release


def fail(_ticket):
    raise ValueError("broken")


def test_latest_task_wins_and_older_ones_are_told():
    done = []
    jobs = Latest(done.append)
    # What sleeps until it is asked to end is told as well.
    release = started(
        jobs, lambda ticket: done.append((ticket.ended.wait(WAIT), ticket.stopped, ticket.superseded))
    )
    jobs.submit(lambda _: done.append("never"))
    jobs.submit(lambda ticket: done.append((ticket.ended.is_set(), ticket.stopped, ticket.superseded)))
    release.set()
    assert jobs.wait(WAIT / 2)
    assert done == [(True, False, True), (False, False, False)]


def test_stop_is_not_superseding_and_errors_are_reported_unless_superseded():
    errors = []
    jobs = Latest(errors.append)
    release = started(jobs, lambda ticket: fail(ticket) if ticket.stopped and not ticket.superseded else None)
    assert jobs.stop()
    release.set()
    assert jobs.wait(WAIT)
    assert [str(error) for error in errors] == ["broken"]
    assert not jobs.stop()
    release = started(jobs, fail)
    jobs.submit(lambda _: None)
    release.set()
    assert jobs.wait(WAIT)
    assert len(errors) == 1
