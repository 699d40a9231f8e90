import functools
import http.server
import os
import threading
from pathlib import Path

import pytest

from website.build import build

pytestmark = pytest.mark.browser
PAGES = ("index.html", "targets.html")
SHOTS = os.environ.get("AUDIOSTYLE_SCREENSHOTS")
READY = """(i) => [...document.querySelectorAll('.as-player')[i].querySelectorAll('button')]
  .every((button) => !button.disabled)"""
STATE = """(i) => { const player = document.querySelectorAll('.as-player')[i];
  return { at: player.audiostyle.position(), levels: player.audiostyle.level(), playing: player.dataset.playing,
    pressed: [...player.querySelectorAll('.as-tracks button')].map((b) => b.ariaPressed === 'true') }; }"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = build(tmp_path_factory.mktemp("pages") / "site")
    assert sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) <= 25_000_000
    return made


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_pages_fit_and_are_accessible(open_page, site, address, width, scheme):
    for name in [*PAGES, *(f"notebooks/{path.name}" for path in sorted((site / "notebooks").glob("*.html")))]:
        page = open_page(f"{address}/{name}", width=width, scheme=scheme)
        if name in PAGES:
            page.wait_for_function(READY, arg=0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.violations(impacts=None) == [], name
        page.assert_clean()
        if SHOTS and name == "index.html":
            page.screenshot(path=Path(SHOTS) / f"site_{scheme}_{width}.png")
        page.context.close()


def test_one_click_plays_and_switching_keeps_the_position_one_player_at_a_time(open_page, address):
    page = open_page(f"{address}/index.html")
    page.wait_for_function(READY, arg=0)
    player = page.locator(".as-player").first
    player.get_by_role("button", name="Play").click()
    page.wait_for_function(f"() => ({STATE})(0).at > 0.3")
    before = page.evaluate(STATE, 0)
    assert (before["playing"], before["pressed"].index(True)) == ("true", 4)
    player.locator(".as-seek").focus()
    page.keyboard.press("6")
    page.wait_for_function(f"() => ({STATE})(0).levels[4] < 1e-3")
    after = page.evaluate(STATE, 0)
    assert after["pressed"] == [i == 5 for i in range(6)]
    assert after["levels"][5] > 0.01
    assert before["at"] < after["at"] < before["at"] + 5, "it went on from where it was"
    page.locator(".as-player").nth(1).scroll_into_view_if_needed()
    page.wait_for_function(READY, arg=1)
    page.locator(".as-player").nth(1).locator(".as-play").click()
    page.wait_for_function(f"() => ({STATE})(1).at > 0.1 && ({STATE})(0).playing === 'false'")
    page.assert_clean()


def test_page_on_the_disk_has_its_sounds_one_by_one(open_page, site):
    files = open_page((site / "index.html").as_uri()).locator(".files").first
    files.get_by_text("opened from the disk").wait_for()
    assert files.locator("audio").count() == 6
    assert files.locator("audio").first.evaluate(
        """(e) => new Promise((done) => {
          e.onloadedmetadata = () => done(e.duration); e.onerror = () => done(0); e.load(); })"""
    ) == pytest.approx(9.0, abs=0.05)
