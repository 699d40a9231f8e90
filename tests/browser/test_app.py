"""The page of ``make app`` in Chromium: what it does."""

import json
import re
from pathlib import Path

import pytest
import soundfile

from tests.browser.helpers import (
    IMAGES,
    LEVELS,
    PLACES,
    POSITION,
    SOUNDS,
    assert_clean,
    await_new_result,
    control,
    move_balance,
    put,
    run,
    serious,
    settle,
    unfold,
)

pytestmark = pytest.mark.browser


def test_own_files_to_saved_and_downloaded_result(app, sounds, environment):
    page, watch = app
    content = page.locator(".as-source").nth(0)
    content.locator("input[type=file]").set_input_files(sounds / "mine.wav")
    content.get_by_text("mine.wav: 4.0 s").wait_for()
    content.locator("input[type=file]").set_input_files(sounds / "broken.wav")
    content.get_by_text("not a sound file that can be read").wait_for()
    assert "mine.wav stays in use" in content.locator(".as-status").inner_text()
    style = page.locator(".as-source").nth(1)
    style.locator("input[type=file]").set_input_files(sounds / "long.aiff")
    style.get_by_text("long.aiff: 288.0 s").wait_for()
    style.locator("input[type=range]").nth(0).evaluate(
        "(e) => { e.value = 100; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    )
    status = run(page)
    assert status.startswith("Done: 4.0 s"), status
    name = "mine__long_balance0.50"
    page.wait_for_function(f"() => document.querySelector('[name=name]').value === '{name}'")
    # One click, and it is among the downloads.
    control(page, "format").select_option("flac")
    control(page, "subtype").select_option("PCM_24")
    control(page, "rate").select_option("48000")
    with page.expect_download() as download:
        control(page, "download").click()
    assert download.value.suggested_filename == f"{name}.flac"
    got = soundfile.info(download.value.path())
    assert (got.samplerate, got.subtype, got.frames) == (48000, "PCM_24", 4 * 48000)
    with page.expect_download() as download:
        control(page, "recipe").click()
    recipe = json.loads(Path(download.value.path()).read_text())
    assert recipe["content"]["path"] == "mine.wav"
    assert recipe["style"]["start"] == 100.0
    # Saved twice, there are two.
    control(page, "format").select_option("wav")
    control(page, "rate").select_option("same")
    saved = Path(environment["AUDIOSTYLE_RESULTS_DIR"]) / "saved"
    for number in ("", "_2"):
        control(page, "save").click()
        page.get_by_text(f"Saved {name}{number}.wav and {name}{number}.json").wait_for()
        kept = soundfile.info(saved / f"{name}{number}.wav")
        assert (kept.samplerate, kept.channels, kept.frames) == (48000, 2, 4 * 48000)
    assert len(list(saved.iterdir())) == 4
    assert_clean(page, watch)


def test_result_changes_picture_and_sound_and_moves_nothing(app):
    page, watch = app
    images, playing = page.evaluate(IMAGES), page.evaluate(SOUNDS)
    place = page.evaluate(PLACES)
    assert move_balance(page, 0.2).startswith("Done: 3.0 s of preview")
    page.wait_for_function(f"(before) => ({SOUNDS})()[2] !== before", arg=playing[2])
    now = page.evaluate(IMAGES)
    assert now[2] != images[2]
    assert now[3] is not None
    # The previous result is kept.
    page.wait_for_function(f"(before) => ({SOUNDS})()[3] === before", arg=playing[2])
    assert page.evaluate(PLACES) == place
    assert_clean(page, watch)


def test_stop_keeps_the_best_so_far(app):
    page, watch = app
    assert control(page, "stop").is_disabled()
    unfold(page)
    control(page, "encoder").select_option("random")
    put(page, "n_iter", 2000)
    before = page.evaluate(IMAGES)
    control(page, "run").click()
    page.get_by_text(re.compile(r"Iteration \d+: style loss")).wait_for()
    # The page answers while the work goes on.
    page.locator(".as-tracks button").nth(0).click()
    assert page.locator(".as-tracks button").nth(0).get_attribute("aria-pressed") == "true"
    control(page, "stop").click()
    await_new_result(page, before)
    assert settle(page).startswith("Stopped")
    control(page, "encoder").select_option("infinite")
    put(page, "n_iter", 300)
    assert_clean(page, watch)


def test_switching_while_playing_keeps_the_position(app):
    page, watch = app
    page.wait_for_function(f"() => ({SOUNDS})()[2] !== null")
    control(page, "play").click()
    page.wait_for_function(f"() => ({POSITION})() > 0.3")
    buttons = page.locator(".as-tracks button")
    for i in (0, 1, 2):
        before = page.evaluate(POSITION)
        buttons.nth(i).click()
        page.wait_for_function(
            f"(i) => {{ const l = ({LEVELS})(); return l[i] > 0.01 && l.every((x, j) => j === i || !x || x < 0.01); }}",
            arg=i,
        )
        after = page.evaluate(POSITION)
        # It went on, or began again at the end of the loop; it did not go back to where playing began.
        assert after > before or before > 1.5
    assert page.locator(".as-panel.as-on figcaption").inner_text().startswith("Result")
    control(page, "play").click()
    held = page.evaluate(POSITION)
    assert page.evaluate(POSITION) == held
    assert_clean(page, watch)


def test_everything_by_keyboard(app):
    page, watch = app
    page.wait_for_function(f"() => ({SOUNDS})()[2] !== null")
    page.locator(".as-form[aria-label=Settings] details").evaluate("(e) => (e.open = false)")
    page.locator(".as-form[aria-label=Settings] summary").focus()
    page.keyboard.press("Enter")
    assert control(page, "encoder").is_visible()
    reached = set()
    page.locator("body").press("Tab")
    for _ in range(80):
        reached.add(page.evaluate("() => document.activeElement.name || document.activeElement.className"))
        page.keyboard.press("Tab")
    settings = (
        "use balance run play encoder kernel_size n_iter phase seed preview "
        "name format subtype rate channels download recipe save"
    )
    wanted = set(settings.split())
    assert wanted <= reached
    assert "as-seek" in reached
    move_balance(page, 0.7)
    control(page, "balance").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => document.querySelector('.as-field:has([name=balance]) output').textContent === '0.71'"
    )
    control(page, "preview").focus()
    before = page.evaluate(IMAGES)
    page.keyboard.press("Enter")
    await_new_result(page, before)
    page.locator(".as-seek").focus()
    page.keyboard.press("2")
    assert page.locator(".as-tracks button").nth(1).get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    page.wait_for_selector(".as-player[data-playing=true]")
    page.keyboard.press(" ")
    page.wait_for_selector(".as-player[data-playing=false]")
    assert_clean(page, watch)


def test_outsiders_are_refused_and_other_machines_forbidden(open_page, app_address):
    page, _, response = open_page(app_address.split("?")[0])
    assert "/login?" in page.url
    assert page.locator(".as-widget").count() == 0
    assert "default-src 'self'" in response.headers["content-security-policy"]
    blocked = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener('securitypolicyviolation', (e) => done(e.blockedURI));
          const image = new Image();
          image.src = 'http://192.0.2.1/pixel.png';
          setTimeout(() => done(null), 5000);
        })"""
    )
    assert blocked is not None
    assert blocked.startswith("http://192.0.2.1")


def test_axe_finds_what_is_wrong(app):
    page, _ = app
    page.evaluate(
        "document.querySelector('.as-form').insertAdjacentHTML('beforeend', '<input id=\"unnamed\">')"
    )
    try:
        assert serious(page, "body") == [("label", [["#unnamed"]])]
    finally:
        page.evaluate("document.querySelector('#unnamed').remove()")
