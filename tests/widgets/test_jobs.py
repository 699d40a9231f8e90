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
    release = started(jobs, lambda ticket: done.append(("first", ticket.stopped, ticket.superseded)))
    jobs.submit(lambda _: done.append("never"))
    jobs.submit(lambda ticket: done.append(("last", ticket.stopped, ticket.superseded)))
    release.set()
    assert jobs.wait(WAIT)
    assert done == [("first", False, True), ("last", False, False)]


def test_stop_is_not_superseding_and_errors_are_reported():
    errors = []
    jobs = Latest(errors.append)
    release = started(jobs, lambda ticket: fail(ticket) if ticket.stopped and not ticket.superseded else None)
    assert jobs.stop()
    release.set()
    assert jobs.wait(WAIT)
    assert [str(e) for e in errors] == ["broken"]
    assert not jobs.stop()


def test_error_of_a_task_that_was_superseded_is_not_shown():
    errors = []
    jobs = Latest(errors.append)
    release = started(jobs, fail)
    jobs.submit(lambda _: None)
    release.set()
    assert jobs.wait(WAIT)
    assert errors == []


def test_a_task_may_sleep_until_it_is_asked_to_end():
    seen = []
    jobs = Latest(seen.append)
    release = started(jobs, lambda ticket: seen.append(ticket.ended.wait(WAIT)))
    release.set()
    jobs.submit(lambda ticket: seen.append(ticket.ended.wait(0.0)))
    assert jobs.wait(WAIT / 2)
    assert seen == [True, False]
