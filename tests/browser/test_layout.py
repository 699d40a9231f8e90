"""The page of ``make app`` in Chromium: how it looks, on a desk and on a telephone, in light and dark."""

import pytest

from audiostyle.config import TransferConfig
from tests.browser.helpers import (
    CUT_OFF,
    IMAGES,
    REACHABLE,
    SHOTS,
    assert_clean,
    await_new_result,
    choose_clips,
    control,
    move_balance,
    put,
    run,
    scroller,
    serious,
    settle,
    shoot,
)

pytestmark = pytest.mark.browser
SIZES = {1280: 900, 420: 800}
# Words that do not fit where they stand, options of lists included.
CUT_WORDS = """() => {
  const measure = document.createElement('canvas').getContext('2d');
  const found = [];
  const words = 'label, button, summary, output, h2, h3, figcaption, .as-note, .as-status, .as-file, th, td';
  for (const e of document.querySelectorAll(`.as-lab :is(${words})`)) {
    // What stands in a line of its own has no width to be measured by; its parent has.
    if (e.offsetParent && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1) found.push(e.textContent);
  }
  for (const e of document.querySelectorAll('.as-lab select')) {
    if (!e.offsetParent) continue;
    const style = getComputedStyle(e);
    measure.font = style.font;
    // 30 px for the arrow and the padding of a native list.
    const room = e.clientWidth - 30;
    // The titles of some clips are longer than a telephone is wide; the open list shows them whole.
    const options = e.closest('.as-source') ? e.selectedOptions : e.options;
    for (const { text } of options) if (measure.measureText(text).width > room) found.push(`${e.name}: ${text}`);
  }
  return found;
}"""
# Parts of the focus ring, 5 px around what has the focus, that something around it cuts off or that leave the page.
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
LUMINANCE = """(e) => { const c = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number);
  return (0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]) / 255; }"""
# Mean brightness of what is drawn on the waveform of the first card.
WAVE = """() => { const { width, height } = document.querySelector('.as-wave');
  const d = document.querySelector('.as-wave').getContext('2d').getImageData(0, 0, width, height).data;
  let [sum, n] = [0, 0];
  for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) { sum += d[i] + d[i + 1] + d[i + 2]; n++; }
  return sum / n / 3; }"""


@pytest.fixture(params=SIZES)
def sized(app, request):
    """The page at one of the sizes, scrolled to its top; and its width and height."""
    page, watch = app
    size = request.param, SIZES[request.param]
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settle(page)
    scroller(page).evaluate("(e) => (e.scrollTop = 0)")
    yield page, watch, size
    fold_all(page, opened=False)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def fold_all(page, *, opened):
    """Open or close all that is folded away."""
    page.locator(".as-lab details").evaluate_all(
        "(all, opened) => all.forEach((e) => (e.open = opened))", opened
    )


def is_marked(page):
    return page.locator(".as-panel").nth(2).locator(".as-stale-mark").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_and_is_accessible(sized, scheme):
    page, watch, (width, _) = sized
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # As wide as the page, whatever is in them.
    assert page.locator(".as-player").bounding_box()["width"] > 0.85 * width
    for box in page.locator(".as-widget").all():
        assert box.bounding_box()["x"] + box.bounding_box()["width"] <= width
    assert page.evaluate(CUT_OFF) == []
    fold_all(page, opened=True)
    assert page.evaluate(CUT_WORDS) == []
    assert serious(page, "body") == []
    unnamed = "(all) => all.filter((e) => !e.title && !e.getAttribute('aria-label')).map((e) => e.outerHTML)"
    assert page.locator(".as-lab button, .as-lab input, .as-lab select").evaluate_all(unnamed) == []
    assert_clean(page, watch)


def test_first_screen_shows_sounds_settings_and_result(sized):
    page, _, (width, height) = sized
    parts = [".as-source >> nth=0", ".as-form [name=balance]", ".as-form [name=run]", ".as-form [name=play]"]
    if width == 1280:
        parts += [".as-source >> nth=1", ".as-panel >> nth=2 >> .as-plot"]
    for part in parts:
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= height, part
    if width == 1280:  # the two cards are alike
        assert len({page.locator(".as-wave").nth(i).bounding_box()["y"] for i in (0, 1)}) == 1
    # Everything else is folded away.
    assert not control(page, "encoder").is_visible()


def test_run_and_play_stay_in_view(sized):
    page, _, _ = sized
    frame = scroller(page)
    most = frame.evaluate("(e) => e.scrollHeight - e.clientHeight")
    assert most > 400
    for share in (0, 0.15, 0.3, 0.6, 1):
        frame.evaluate("(e, top) => (e.scrollTop = top)", share * most)
        assert frame.evaluate("(e) => e.scrollTop") == pytest.approx(share * most, abs=1)
        for name in ("run", "play", "balance"):
            assert page.evaluate(REACHABLE, name), (share, name)


def test_introduction_is_two_lines_and_starts_nothing(sized):
    page, _, _ = sized
    text = page.locator(".jp-RenderedMarkdown p")
    assert text.count() == 1
    lines = text.evaluate(
        "(e) => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)"
    )
    assert round(lines, 2) <= 2
    for word in ("press", "click", "start", "run"):
        assert word not in text.inner_text().lower().split()


def test_focus_ring_is_whole(sized):
    page, _, _ = sized
    fold_all(page, opened=True)
    page.locator(".as-source select").first.focus()
    seen = set()
    while page.evaluate("() => document.activeElement !== document.body"):
        assert page.evaluate(CUT_RING) is None
        seen.add(page.evaluate("() => document.activeElement.name || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {"balance", "run", "play", "encoder", "download", "as-seek"} <= seen


def test_page_is_dark_where_the_system_is(app):
    page, _ = app
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            f"() => document.body.dataset.jpThemeLight === '{str(scheme == 'light').lower()}'"
        )
        seen[scheme] = [
            page.locator(part).first.evaluate(LUMINANCE) for part in ("body", ".as-sticky", ".as-code pre")
        ]
        seen[scheme].append(page.evaluate(WAVE) / 255)
    page.emulate_media(color_scheme="light")
    assert min(seen["light"][:3]) > 0.9
    assert max(seen["dark"][:3]) < 0.2
    # What is drawn follows without a reload.
    assert abs(seen["dark"][3] - seen["light"][3]) > 0.1


def test_moved_balance_marks_the_result_and_previews_by_itself(app):
    page, watch = app
    assert page.evaluate("Number(document.querySelector('[name=balance]').value)") == TransferConfig().balance
    assert not is_marked(page)
    before = page.evaluate(IMAGES)
    slider = control(page, "balance")
    # As one drags: it has not been let go.
    slider.evaluate("(e) => { e.value = 0.25; e.dispatchEvent(new Event('input')); }")
    page.wait_for_function("() => !document.querySelectorAll('.as-stale-mark')[2].hidden")
    assert page.evaluate(IMAGES)[2] == before[2]
    await_new_result(page, before)
    page.wait_for_function("() => document.querySelectorAll('.as-stale-mark')[2].hidden")
    assert settle(page).startswith("Done: 3.0 s of preview")
    assert page.locator(".as-panel").nth(2).get_by_text("balance 0.25 · preview of 3 s").is_visible()
    control(page, "use").select_option("texture")
    page.wait_for_function("() => document.querySelector('[name=balance]').value === '0.8'")
    await_new_result(page, page.evaluate(IMAGES) if not is_marked(page) else [None, None, before[2]])
    control(page, "use").select_option("any")
    page.wait_for_function("() => document.querySelector('[name=balance]').value === '0.5'")
    page.get_by_text("balance 0.50 · preview of 3 s").first.wait_for()
    settle(page)
    assert_clean(page, watch)


def drop(page, path, x, y):
    """Drop a file as a file manager does; the browser opens it in place of the page unless that is prevented."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


def test_a_file_dropped_anywhere_goes_to_the_nearest_card(app, sounds):
    page, watch = app
    address = page.url
    scroller(page).evaluate("(e) => (e.scrollTop = 0)")
    cards = [page.locator(".as-source").nth(i) for i in (0, 1)]
    right = page.locator(".as-panel").nth(3).bounding_box()
    for path, x, y, card in (
        (sounds / "mine.wav", 20, 15, 0),
        (sounds / "broken.wav", 20, 800, 0),
        (sounds / "mine.wav", right["x"] + 40, right["y"] + 40, 1),
    ):
        drop(page, path, x, y)
        words = "not a sound file" if path.stem == "broken" else "mine.wav: 4.0 s"
        cards[card].get_by_text(words).first.wait_for()
        assert page.url == address
    assert page.locator(".as-over").count() == 0
    choose_clips(page)
    assert_clean(page, watch)


@pytest.mark.skipif(SHOTS is None, reason="make screenshots asks for it")
def test_picture_of_the_page(app):
    """Bundled clips only, whole, in light and dark at two widths; kept under results/screenshots."""
    page, _ = app
    choose_clips(page)
    move_balance(page, 0.4)
    assert run(page).startswith("Done: 10.0 s of sound")
    put(page, "balance", 0.5)
    assert run(page).startswith("Done: 10.0 s of sound")
    for width, height in SIZES.items():
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("document.activeElement.blur()")
            scroller(page).evaluate("(e) => (e.scrollTop = 0)")
            if width == 420:  # sounds, controls and the result
                page.locator(".as-source").nth(1).evaluate("(e) => e.scrollIntoView()")
            page.wait_for_timeout(300)
            shoot(page, f"style_lab_{width}{'_dark' if scheme == 'dark' else ''}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
