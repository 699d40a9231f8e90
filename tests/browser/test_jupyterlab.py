import re

import pytest

from tests.browser.pages import IMAGES, REACHABLE, SHOTS, SOUNDS

pytestmark = pytest.mark.browser
# Pairs of labels of the map whose boxes overlap.
LABELS_OVER_LABELS = """() => { const texts = [...document.querySelectorAll('.as-map text')];
  const boxes = texts.map((e) => e.getBBox());
  return boxes.flatMap((a, i) => boxes.slice(0, i).flatMap((b, j) =>
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
      ? [`${texts[i].textContent} over ${texts[j].textContent}`] : [])); }"""


@pytest.fixture(scope="module")
def opened(open_page, lab_address):
    def open_notebook(name):
        address, token = lab_address.split("/lab?")
        page = open_page(f"{address}/lab/tree/{name}.ipynb?reset&{token}")
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-cell")
        # Cells that are run before the kernel is there are forgotten.
        page.get_by_text("| Idle").wait_for()
        page.locator(".lm-MenuBar-item", has_text="Run").click()
        page.locator(".lm-Menu-item", has_text=re.compile(r"^Run All Cells")).click()
        page.wait_for_selector(".as-player img[src]", state="attached")
        page.wait_for_function(
            "() => [...document.querySelectorAll('.jp-InputPrompt')].every((e) => !e.textContent.includes('*'))"
        )
        return page

    return open_notebook


def test_pair_explorer_and_blind_test(opened):
    page, label = opened("10_compare_pairs"), "Pair and method"
    assert "0.65" in page.settle(label)
    for change, kept in (("balance", (0, 1)), ("pair", ())):
        images, playing = page.evaluate(IMAGES), page.evaluate(SOUNDS)
        if change == "pair":
            page.control("pair").select_option(index=0)
        else:
            page.put("balance", 0.1)
        page.await_result(images)
        page.await_sound(2, playing[2])
        page.settle(label)
        now, heard = page.evaluate(IMAGES), page.evaluate(SOUNDS)
        for i in (0, 1, 2):
            assert (heard[i] == playing[i]) == (now[i] == images[i]) == (i in kept)
        assert now[3] != images[3]
    page.control("method").select_option(index=2)
    page.get_by_text("is not stored. Shown instead").wait_for()
    assert page.violations(".as-form") == []
    page.control("begin").click()
    page.get_by_text("Trial 1 of").wait_for()
    page.control("is-a").click()
    page.get_by_text("Trial 2 of").wait_for()
    page.keyboard.press("Control+b")
    if SHOTS:
        images = page.evaluate(IMAGES)
        page.control("pair").select_option(index=4)
        page.await_result(images)
        page.control("method").select_option(index=0)
        page.put("balance", 0.5)
        page.settle(label)
        page.set_viewport_size({"width": 1280, "height": 1900})
        page.shoot("pair_explorer", ".jp-OutputArea-output:has(.as-player)")
    page.set_viewport_size({"width": 420, "height": 1500})
    page.wait_for_function("() => document.querySelector('.as-player').clientWidth < 420")
    output = page.locator(".jp-OutputArea-output:has(.as-player)").first
    assert output.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1")
    page.assert_clean()


def test_style_lab(opened, sounds):
    page = opened("11_style_lab")
    page.upload(0, sounds / "mine.wav", "mine.wav: 4.0 s")
    assert page.run().startswith("Done: 4.0 s")
    # The row stays in view of the notebook, above its result as well as below.
    for part in (".as-player .as-keys", ".as-lab pre >> nth=0"):
        page.locator(part).evaluate("(e) => e.scrollIntoView({ block: 'end' })")
        for name in ("run", "play"):
            assert page.control(name).evaluate(REACHABLE), (part, name)
    assert page.violations(".as-lab") == []
    page.assert_clean()


def test_speaker_explorer(opened):
    page = opened("12_many_speakers")
    page.await_sound(1)
    playing, said = page.evaluate(SOUNDS), page.status("Utterance").text_content()
    assert "the nearest neighbour says" in said
    for point in (-1, 0):
        page.locator(".as-point").nth(point).dispatch_event("click")
        page.await_sound(0, playing[0])
        page.wait_for_function("(b) => document.querySelector('.as-status').textContent !== b", arg=said)
        assert page.locator(".as-map text").count() >= 4
        assert page.evaluate(LABELS_OVER_LABELS) == []
        playing, said = page.evaluate(SOUNDS), page.status("Utterance").text_content()
    assert page.violations(".as-form") == []
    page.assert_clean()
