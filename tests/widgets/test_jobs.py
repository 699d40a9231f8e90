import threading

from audiostyle.widgets.jobs import Latest

WAIT = 120


# Work in the background


def test_latest_task_wins_and_older_ones_are_told():
    entered, release, done = threading.Event(), threading.Event(), []
    jobs = Latest(done.append)

    def first(ticket):
        entered.set()
        release.wait(WAIT)
        done.append(("first", ticket.superseded))

    jobs.submit(first)
    assert entered.wait(WAIT)
    jobs.submit(lambda _: done.append("never"))
    jobs.submit(lambda ticket: done.append(("last", ticket.ending)))
    release.set()
    assert jobs.wait(WAIT)
    assert done == [("first", True), ("last", False)]


def test_stop_is_not_superseding_and_errors_are_reported():
    entered, seen, errors = threading.Event(), [], []
    jobs = Latest(errors.append)

    def task(ticket):
        entered.set()
        while not ticket.ending:
            pass
        seen.append((ticket.stopped, ticket.superseded))
        raise ValueError("broken")

    jobs.submit(task)
    assert entered.wait(WAIT)
    jobs.stop()
    assert jobs.wait(WAIT)
    assert seen == [(True, False)]
    assert [str(e) for e in errors] == ["broken"]
    assert not jobs.busy


def test_a_pause_ends_early_when_the_task_is_asked_to_end():
    entered, seen = threading.Event(), []
    jobs = Latest(seen.append)

    def task(ticket):
        assert ticket.pause(0.0)
        entered.set()
        seen.append(ticket.pause(WAIT))

    jobs.submit(task)
    assert entered.wait(WAIT)
    jobs.submit(lambda _: None)
    assert jobs.wait(WAIT / 2)
    assert seen == [False]


def test_error_of_a_task_that_was_superseded_is_not_shown():
    entered, release, errors = threading.Event(), threading.Event(), []
    jobs = Latest(errors.append)

    def first(_ticket):
        entered.set()
        release.wait(WAIT)
        raise ValueError("of a sound that nobody asks for any more")

    jobs.submit(first)
    assert entered.wait(WAIT)
    jobs.submit(lambda _: None)
    release.set()
    assert jobs.wait(WAIT)
    assert errors == []
