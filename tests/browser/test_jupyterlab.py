"""The widgets in JupyterLab in Chromium."""

import re

import pytest

from tests.browser.helpers import (
    IMAGES,
    REACHABLE,
    SHOTS,
    SOUNDS,
    assert_clean,
    await_new_result,
    control,
    jupyterlab,
    put,
    run,
    serious,
    settle,
    shoot,
)

pytestmark = pytest.mark.browser
# Pairs of labels of the map whose boxes overlap.
LABELS_OVER_LABELS = """() => { const texts = [...document.querySelectorAll('.as-map text')];
  const boxes = texts.map((e) => e.getBBox());
  return boxes.flatMap((a, i) => boxes.slice(0, i).flatMap((b, j) =>
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
      ? [`${texts[i].textContent} over ${texts[j].textContent}`] : [])); }"""


@pytest.fixture(scope="module")
def explorer(open_page, lab_address):
    """Notebook 09 in JupyterLab, all of it run."""
    return jupyterlab(open_page, lab_address, "09_compare_pairs.ipynb")


def test_pair_explorer_in_jupyterlab(explorer):
    page, watch = explorer
    form = "Pair and method"
    assert "0.65" in settle(page, form)
    for change, kept in ((("balance", 0.1), (0, 1)), (("pair", "speech-1"), ())):
        images, playing = page.evaluate(IMAGES), page.evaluate(SOUNDS)
        name, value = change
        if name == "pair":
            control(page, "pair").select_option(value)
        else:
            put(page, name, value)
        await_new_result(page, images)
        page.wait_for_function(f"(before) => ({SOUNDS})()[2] !== before", arg=playing[2])
        settle(page, form)
        now, heard = page.evaluate(IMAGES), page.evaluate(SOUNDS)
        for i in (0, 1, 2):
            assert (heard[i] == playing[i]) == (i in kept)
            assert (now[i] == images[i]) == (i in kept)
        assert now[3] != images[3]
    control(page, "method").select_option("random")
    page.get_by_text("are not stored. Shown instead").wait_for()
    assert serious(page, ".as-player") == []
    assert serious(page, ".as-form") == []
    control(page, "method").select_option("infinite")
    control(page, "pair").select_option("instrument-1")
    put(page, "balance", 0.8)
    page.get_by_text("balance 0.80").first.wait_for()
    settle(page, form)
    page.keyboard.press("Control+b")
    if SHOTS:
        page.set_viewport_size({"width": 1280, "height": 1500})
        shoot(page, "pair_explorer", ".jp-OutputArea-output:has(.as-player)")
    page.set_viewport_size({"width": 420, "height": 1500})
    output = page.locator(".jp-OutputArea-output:has(.as-player)").first
    page.wait_for_function("() => document.querySelector('.as-player').clientWidth < 420")
    assert output.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1")
    page.set_viewport_size({"width": 1280, "height": 1500})
    assert_clean(page, watch)


def test_blind_test_in_jupyterlab(explorer):
    page, watch = explorer
    put(page, "n_trials", 5)
    control(page, "begin").click()
    for trial in range(1, 6):
        page.get_by_text(f"Trial {trial} of 5").wait_for()
        control(page, "is_a").click()
    page.get_by_text(re.compile(r"\d of 5 right, p = ")).wait_for()
    assert control(page, "is_a").is_disabled()
    assert_clean(page, watch)


def test_style_lab_in_jupyterlab(open_page, lab_address, sounds):
    page, watch = jupyterlab(open_page, lab_address, "10_style_lab.ipynb")
    content = page.locator(".as-source").nth(0)
    content.locator("input[type=file]").set_input_files(sounds / "mine.wav")
    content.get_by_text("mine.wav: 4.0 s").wait_for()
    content.locator("input[type=file]").set_input_files(sounds / "broken.wav")
    content.get_by_text("not a sound file that can be read").wait_for()
    assert run(page).startswith("Done: 4.0 s")
    control(page, "save").click()
    page.get_by_text(re.compile(r"Saved mine__\w+_balance0.50.wav and")).wait_for()
    # The row stays in view of the notebook, above its result as well as below.
    for part in (".as-player .as-keys", ".as-code"):
        page.locator(part).evaluate("(e) => e.scrollIntoView({ block: 'end' })")
        for name in ("run", "play"):
            assert page.evaluate(REACHABLE, name), (part, name)
    for part in (".as-source", ".as-form", ".as-player", ".as-code"):
        assert serious(page, part) == [], part
    assert_clean(page, watch)


def test_speaker_explorer_in_jupyterlab(open_page, lab_address):
    page, watch = jupyterlab(open_page, lab_address, "08_vctk_speakers.ipynb")
    page.wait_for_function(f"() => ({SOUNDS})()[1] !== null")
    playing = page.evaluate(SOUNDS)
    status = page.locator(".as-form[aria-label=Utterance] .as-status")
    said = status.text_content()
    assert "the nearest neighbour says" in said
    page.locator(".as-point").last.dispatch_event("click")
    page.wait_for_function(
        f"(before) => ({SOUNDS})()[0] !== before && ({SOUNDS})()[0] !== null", arg=playing[0]
    )
    page.wait_for_function(
        "(before) => document.querySelector('.as-status').textContent !== before", arg=said
    )
    for point in (0, -1):
        page.locator(".as-point").nth(point).dispatch_event("click")
        page.wait_for_function("(i) => document.querySelectorAll('.as-map text').length >= 4", arg=point)
        assert page.evaluate(LABELS_OVER_LABELS) == []
    for part in (".as-form", ".as-map", ".as-player"):
        assert serious(page, part) == [], part
    assert_clean(page, watch)
