"""The page of ``make app`` in Chromium: what it does, and how it looks on a desk and on a telephone."""

import json
from pathlib import Path

import pytest
import soundfile

from audiostyle.config import TransferConfig
from tests.browser.pages import IMAGES, LEVELS, POSITION, REACHABLE, SHOTS, SOUNDS

pytestmark = pytest.mark.browser
SIZES = {1280: 900, 420: 800}
# Parts that something around them cuts off.
CUT_OFF = """() => [...document.querySelectorAll('.as-widget, .as-form, .as-card')].filter((e) => {
    for (let around = e.parentElement; around; around = around.parentElement)
      if (getComputedStyle(around).overflowX !== 'visible'
          && around.getBoundingClientRect().right < e.getBoundingClientRect().right - 1) return true;
    return false;
  }).map((e) => e.className)"""
# Words that do not fit where they stand, those chosen in lists included.
CUT_WORDS = """() => {
  const measure = document.createElement('canvas').getContext('2d');
  const words = 'label, button, summary, output, h2, figcaption, .as-note, .as-status, .as-file, th, td';
  const cut = (e) => e.offsetParent && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1;
  const found = [...document.querySelectorAll(`.as-lab :is(${words})`)].filter(cut).map((e) => e.textContent);
  for (const e of document.querySelectorAll('.as-lab select')) {
    if (!e.offsetParent) continue;
    measure.font = getComputedStyle(e).font;
    // 30 px for the arrow and the padding of a native list.
    const [{ text }] = e.selectedOptions;
    if (measure.measureText(text).width > e.clientWidth - 30) found.push(text);
  }
  return found;
}"""
# The focus ring, 5 px around what has the focus, where something cuts it off or it leaves the page.
CUT_RING = """() => {
  const e = document.activeElement, ring = e.matches('.as-file input') ? e.parentElement : e;
  const box = ring.getBoundingClientRect();
  for (let around = ring.parentElement; around; around = around.parentElement) {
    if (getComputedStyle(around).overflowX === 'visible') continue;
    const clip = around.getBoundingClientRect();
    if (box.left - 5 < clip.left - 0.6 || box.right + 5 > clip.right + 0.6) return ring.outerHTML.slice(0, 90);
  }
  return box.left < 5 || box.right > innerWidth - 5 ? ring.outerHTML.slice(0, 90) : null;
}"""
FOCUSED = """() => { const e = document.activeElement, named = e.closest('[class*=as-c-]');
  return named ? named.className.match(/as-c-([\\w-]+)/)[1] : e.className; }"""
# Brightness of the page, the row that stays, the code, and what is drawn on the first waveform.
BRIGHTNESS = """() => {
  const of = (e) => getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).slice(0, 3).reduce((s, x) => s + +x, 0) / 765;
  const wave = document.querySelector('.as-wave canvas');
  const d = wave.getContext('2d').getImageData(0, 0, wave.width, wave.height).data;
  let [sum, n] = [0, 0];
  for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) { sum += d[i] + d[i + 1] + d[i + 2]; n++; }
  return [...['body', '.as-sticky', '.as-lab pre'].map((s) => of(document.querySelector(s))), sum / n / 765]; }"""
STALE = "() => !document.querySelectorAll('.as-stale-mark')[2].hidden"


def test_own_files_to_saved_and_downloaded_result(app, sounds, environment):
    assert app.control("stop").is_disabled()  # nothing runs
    app.upload(0, sounds / "mine.wav", "mine.wav: 4.0 s")
    app.upload(0, sounds / "broken.wav", "mine.wav stays in use")
    app.upload(1, sounds / "long.aiff", "long.aiff: 288.0 s")
    app.source(1).locator("input[type=number]").first.fill("100")
    app.source(1).locator("input[type=number]").first.press("Enter")
    status = app.run()
    assert status.startswith("Done: 4.0 s of sound"), status
    name = "mine__long_balance0.50"
    app.wait_for_function(f"() => document.querySelector('.as-c-name input').value === '{name}'")
    app.control("format").select_option("FLAC")
    with app.expect_download() as download:
        app.control("download").click()
    assert download.value.suggested_filename == f"{name}.flac"
    got = soundfile.info(download.value.path())
    assert (got.samplerate, got.channels, got.frames) == (48000, 2, 4 * 48000)
    with app.expect_download() as download:
        app.control("recipe").click()
    recipe = json.loads(Path(download.value.path()).read_text())
    assert (recipe["content"]["path"], recipe["style"]["start"]) == ("mine.wav", 100.0)
    app.control("format").select_option("WAV")
    saved = Path(environment["AUDIOSTYLE_RESULTS_DIR"]) / "saved"
    for number in ("", "_2"):  # saved twice, there are two
        app.control("save").click()
        app.get_by_text(f"Saved {name}{number}.wav and {name}{number}.json").wait_for()
        assert soundfile.info(saved / f"{name}{number}.wav").frames == 4 * 48000
    assert len(list(saved.iterdir())) == 4
    app.assert_clean()


def choose_clips(app):
    """Take two clips of this repository at full length, as when the page opened."""
    for i, clip in enumerate(("Pachelbel, Canon in D, on the violin", "Beethoven, Für Elise, on the piano")):
        app.source(i).locator("select").select_option(clip)
        app.source(i).locator(".as-status", has_text=".ogg: 10.0 s").wait_for()


def test_a_file_dropped_anywhere_goes_to_the_nearest_card(app, sounds):
    app.scroller().evaluate("(e) => (e.scrollTop = 0)")
    address, right = app.url, app.locator(".as-panel").nth(3).bounding_box()
    session = app.context.new_cdp_session(app.page)
    for path, x, y, card in (
        ("mine.wav", 20, 15, 0), ("broken.wav", 20, 800, 0), ("mine.wav", right["x"] + 40, right["y"] + 40, 1),
    ):  # fmt: skip
        data = {"items": [], "files": [str(sounds / path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
        words = "stays in use" if path == "broken.wav" else "mine.wav: 4.0 s"
        app.source(card).locator(".as-status", has_text=words).wait_for()
        assert app.url == address  # the browser did not open it in place of the page
    session.detach()
    assert app.locator(".as-over").count() == 0
    choose_clips(app)
    app.assert_clean()


def test_moved_balance_marks_the_result_and_previews_by_itself(app):
    assert float(app.control("balance").input_value()) == TransferConfig().balance
    app.run()
    before, playing = app.evaluate(IMAGES), app.evaluate(SOUNDS)
    # As one drags: it has not been let go.
    app.control("balance").evaluate("(e) => { e.value = 0.25; e.dispatchEvent(new Event('input')); }")
    app.wait_for_function(STALE)
    app.await_result(before)
    app.wait_for_function(f"() => !({STALE})()")
    assert app.settle().startswith("Done: 3.0 s of preview")
    assert app.locator(".as-panel").nth(2).get_by_text("balance 0.25 · preview of 3 s").is_visible()
    app.await_sound(2, playing[2])
    app.wait_for_function(
        f"(before) => ({SOUNDS})()[3] === before", arg=playing[2]
    )  # the previous one is kept
    app.put("balance", 0.5)
    app.get_by_text("balance 0.50 · preview of 3 s").first.wait_for()
    app.settle()
    app.assert_clean()


def test_switching_while_playing_keeps_the_position(app):
    app.control("play").click()
    app.wait_for_function(f"() => ({POSITION})() > 0.3")
    for i in (0, 1, 2):
        before = app.evaluate(POSITION)
        app.locator(".as-tracks button").nth(i).click()
        app.wait_for_function(
            f"(i) => {{ const l = ({LEVELS})(); return l[i] > 0.01 && l.every((x, j) => j === i || !x || x < 0.01); }}",
            arg=i,
        )
        # It went on, or began again at the end of the loop; it did not go back to where playing began.
        assert app.evaluate(POSITION) > before or before > 1.5
    assert app.locator(".as-panel.as-on figcaption").inner_text().startswith("Result")
    app.control("play").click()
    held = app.evaluate(POSITION)
    assert app.evaluate(POSITION) == held
    app.assert_clean()


@pytest.fixture(params=SIZES)
def sized(app, request):
    """The page at one of the sizes, scrolled to its top, with its width and height."""
    width, height = request.param, SIZES[request.param]
    app.set_viewport_size({"width": width, "height": height})
    app.settle()
    app.scroller().evaluate("(e) => (e.scrollTop = 0)")
    yield app, width, height
    app.emulate_media(color_scheme="light")
    app.set_viewport_size({"width": 1280, "height": 900})


def test_everything_by_keyboard_with_a_whole_focus_ring(sized):
    app, _, _ = sized
    app.fold(opened=False)
    app.control("fold").focus()
    app.keyboard.press("Enter")
    app.control("seed").wait_for()
    app.source(0).locator("select").focus()
    reached = set()
    for _ in range(80):
        if app.evaluate("() => document.activeElement === document.body"):
            break
        assert app.evaluate(CUT_RING) is None
        reached.add(app.evaluate(FOCUSED))
        app.keyboard.press("Tab")
    wanted = "method balance run play kernel-size n-iter seed name format download recipe save as-seek"
    assert set(wanted.split()) <= reached
    before = app.evaluate(IMAGES)
    app.control("balance").focus()
    app.keyboard.press("ArrowRight")
    app.await_result(before)
    app.settle()
    before = app.evaluate(IMAGES)
    app.put("balance", 0.5)
    app.await_result(before)
    app.locator(".as-seek").focus()
    app.keyboard.press("2")
    assert app.locator(".as-tracks button").nth(1).get_attribute("aria-pressed") == "true"
    for playing in ("true", "false"):
        app.keyboard.press(" ")
        app.wait_for_selector(f".as-player[data-playing={playing}]")
    app.fold(opened=False)
    app.assert_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_and_is_accessible(sized, scheme):
    app, width, _ = sized
    app.emulate_media(color_scheme=scheme)
    app.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(scheme == 'light').lower()}'")
    assert app.evaluate("document.documentElement.scrollWidth") <= width
    assert app.locator(".as-player").bounding_box()["width"] > 0.85 * width
    assert app.evaluate(CUT_OFF) == []
    app.fold(opened=True)
    assert app.evaluate(CUT_WORDS) == []
    assert app.violations() == []
    app.fold(opened=False)
    *surfaces, drawn = app.evaluate(BRIGHTNESS)
    assert min(surfaces) > 0.9 if scheme == "light" else max(surfaces) < 0.2
    # What is drawn follows without a reload.
    app.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    app.wait_for_function(f"(before) => Math.abs(({BRIGHTNESS})()[3] - before) > 0.1", arg=drawn)
    app.assert_clean()


def test_first_screen_shows_what_is_needed_and_run_and_play_stay_in_view(sized):
    app, width, height = sized
    parts = [app.source(0), *(app.control(name) for name in ("balance", "run", "play"))]
    if width == 1280:
        parts += [app.source(1), app.locator(".as-panel").nth(2).locator(".as-plot")]
    for part in parts:
        box = part.bounding_box()
        assert 0 <= box["y"] <= box["y"] + box["height"] <= height, part
    assert not app.control("seed").is_visible()
    frame = app.scroller()
    most = frame.evaluate("(e) => e.scrollHeight - e.clientHeight")
    assert most > 300
    for share in (0, 0.15, 0.3, 0.6, 1):
        frame.evaluate("(e, top) => (e.scrollTop = top)", share * most)
        for name in ("run", "play", "balance"):
            assert app.control(name).evaluate(REACHABLE), (share, name)


def test_outsiders_are_refused_and_other_machines_forbidden(open_page, app_address):
    page = open_page(app_address.split("?")[0])
    assert "/login?" in page.url
    assert page.locator(".as-widget").count() == 0
    assert "default-src 'self'" in page.response.headers["content-security-policy"]
    blocked = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener('securitypolicyviolation', (e) => done(e.blockedURI));
          new Image().src = 'http://192.0.2.1/pixel.png';
          setTimeout(() => done('nothing'), 5000);
        })"""
    )
    assert blocked.startswith("http://192.0.2.1")


def test_axe_finds_what_is_wrong(app):
    app.evaluate("document.querySelector('.as-form').insertAdjacentHTML('beforeend', '<input id=bare>')")
    try:
        assert app.violations() == [("label", [["#bare"]])]
    finally:
        app.evaluate("document.querySelector('#bare').remove()")


@pytest.mark.skipif(SHOTS is None, reason="make screenshots asks for it")
def test_picture_of_the_page(app):
    """Bundled clips only, whole, in light and dark at two widths; kept under results/screenshots."""
    choose_clips(app)
    for balance in (0.4, 0.5):
        app.put("balance", balance)
        assert app.run().startswith("Done: 10.0 s of sound")
    for width, height in SIZES.items():
        for scheme in ("light", "dark"):
            app.emulate_media(color_scheme=scheme)
            app.set_viewport_size({"width": width, "height": height})
            app.evaluate("document.activeElement.blur()")
            app.scroller().evaluate("(e) => (e.scrollTop = 0)")
            if width == 420:  # sounds, controls and the result
                app.source(1).evaluate("(e) => e.scrollIntoView()")
            app.wait_for_timeout(300)
            app.shoot(f"style_lab_{width}{'_dark' if scheme == 'dark' else ''}")
