"""The site in Chromium, at two widths, by day and by night."""

import functools
import http.server
import os
import threading
from pathlib import Path

import pytest

from website.build import build

pytestmark = pytest.mark.browser
PAGES = ("index.html", "targets.html")
MOST_BYTES = 25_000_000
SHOTS = os.environ.get("AUDIOSTYLE_SCREENSHOTS")
STATE = """(i) => { const player = document.querySelectorAll('.as-player')[i];
  return { at: player.audiostyle.position(), levels: player.audiostyle.level(), playing: player.dataset.playing,
    pressed: [...player.querySelectorAll('.as-tracks button')].map((b) => b.ariaPressed === 'true') }; }"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All of the site, in a folder."""
    return build(tmp_path_factory.mktemp("pages") / "site")


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ready(page, i=0):
    """Wait until the sounds of a player are there."""
    page.wait_for_function(
        "(i) => [...document.querySelectorAll('.as-player')[i].querySelectorAll('button')].every((b) => !b.disabled)",
        arg=i,
    )


def violations(page):
    """Return all that axe-core finds."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:4]) for v in found]


def test_site_is_small(site):
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_pages_fit_and_are_accessible(open_page, site, address, width, scheme):
    for name in [*PAGES, *(f"notebooks/{path.name}" for path in sorted((site / "notebooks").iterdir()))]:
        page, watch, _ = open_page(f"{address}/{name}", width=width, scheme=scheme)
        if name in PAGES:
            ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert violations(page) == [], name
        assert watch.elsewhere == [], name
        assert watch.complaints == [], name
        if SHOTS and name == "index.html":
            page.screenshot(path=Path(SHOTS) / f"site_{scheme}_{width}.png")
        page.context.close()


def test_one_click_plays_and_switching_keeps_the_position(open_page, address):
    page, watch, _ = open_page(f"{address}/index.html")
    ready(page)
    player = page.locator(".as-player").first
    player.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => ({STATE})(0).at > 0.3")
    before = page.evaluate(STATE, 0)
    assert before["playing"] == "true"
    assert before["pressed"].index(True) == 4
    player.locator(".as-seek").focus()
    page.keyboard.press("6")
    page.wait_for_function(f"() => ({STATE})(0).levels[4] < 1e-3")
    after = page.evaluate(STATE, 0)
    assert after["pressed"] == [i == 5 for i in range(6)]
    assert after["levels"][5] > 0.01
    assert before["at"] < after["at"] < before["at"] + 5, "it went on from where it was"
    assert watch.elsewhere == []


def test_one_player_at_a_time(open_page, address):
    page, _, _ = open_page(f"{address}/index.html")
    page.locator(".as-player").nth(1).scroll_into_view_if_needed()
    for i in (0, 1):
        ready(page, i)
        page.locator(".as-player").nth(i).locator(".as-play").click()
        page.wait_for_function(f"(i) => ({STATE})(i).at > 0.1", arg=i)
    page.wait_for_function(f"() => ({STATE})(0).playing === 'false'")
    assert page.evaluate(STATE, 1)["playing"] == "true"


def test_page_on_the_disk_has_its_sounds_one_by_one(open_page, site):
    page, _, _ = open_page((site / "index.html").as_uri())
    files = page.locator(".files").first
    files.get_by_text("opened from the disk").wait_for()
    assert files.locator("audio").count() == 6
    assert files.locator("audio").first.evaluate(
        """(e) => new Promise((done) => {
          e.onloadedmetadata = () => done(e.duration); e.onerror = () => done(0); e.load(); })"""
    ) == pytest.approx(9.0, abs=0.05)
