"""The widgets in Chromium, in JupyterLab and in Voilà."""

import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

pytestmark = pytest.mark.browser
SR = 22050
SHOTS = os.environ.get("AUDIOSTYLE_SCREENSHOTS")

# A sum over the pixels of every picture, null where there is none yet.
IMAGES = """() => [...document.querySelector('.as-player').querySelectorAll('figure img')].map((image) => {
    if (image.hidden || !image.complete || !image.naturalWidth) return null;
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const g = canvas.getContext('2d');
    g.drawImage(image, 0, 0);
    return g.getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, x, n) => sum + x * ((n % 997) + 1), 0);
  })"""
SOUNDS = "() => [0, 1, 2, 3].map((i) => document.querySelector('.as-player').audiostyle.fingerprint(i))"
POSITION = "() => document.querySelector('.as-player').audiostyle.position()"
# Parts that an element around them cuts off.
CUT_OFF = """() => [...document.querySelectorAll('.as-widget')].filter((e) => {
    for (let around = e.parentElement; around; around = around.parentElement)
      if (getComputedStyle(around).overflowX !== 'visible'
          && around.getBoundingClientRect().right < e.getBoundingClientRect().right - 1) return true;
    return false;
  }).map((e) => e.className)"""
# Where every part stands, from the first one on.
PLACES = """() => { const parts = [...document.querySelectorAll('.as-widget')].map((e) => e.getBoundingClientRect());
  return parts.map((box) => [box.top - parts[0].top, box.height]); }"""
LEVELS = "() => document.querySelector('.as-player').audiostyle.level()"


@pytest.fixture(scope="module")
def app(open_page, app_address):
    """The page of ``make app``, opened once: it takes the kernel's start. Each test sets what it needs."""
    page, watch, response = open_page(app_address)
    assert "default-src 'self'" in response.headers["content-security-policy"]
    # The notebook makes a preview; it has arrived when it can be heard.
    page.wait_for_function(
        f"() => document.querySelector('.as-player')?.audiostyle && ({SOUNDS})()[2] !== null"
    )
    settle(page)
    return page, watch


def jupyterlab(open_page, lab_address, notebook):
    """Open a notebook and run all of it."""
    address, token = lab_address.split("/lab?")
    page, watch, _ = open_page(f"{address}/lab/tree/{notebook}?reset&{token}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-cell")
    # Cells that are run before the kernel is there are forgotten.
    page.get_by_text("| Idle").wait_for()
    page.locator(".lm-MenuBar-item", has_text="Run").click()
    page.locator(".lm-Menu-item", has_text=re.compile(r"^Run All Cells")).click()
    page.wait_for_selector(".as-player img[src]", state="attached")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-InputPrompt')].every((e) => !e.textContent.includes('*'))"
    )
    return page, watch


@pytest.fixture(scope="module")
def explorer(open_page, lab_address):
    """Notebook 09 in JupyterLab, all of it run."""
    return jupyterlab(open_page, lab_address, "09_compare_pairs.ipynb")


def control(page, name):
    return page.locator(f".as-form [name={name}]")


def settle(page, form="Settings"):
    """Wait until a form's work is done; returns its status."""
    bar = page.locator(f".as-form[aria-label='{form}'] progress.as-idle")
    bar.wait_for(state="attached")
    return page.locator(f".as-form[aria-label='{form}'] .as-status").inner_text()


def run(page, name="run"):
    """Press a button and wait for the result."""
    before = page.evaluate(IMAGES)
    control(page, name).click()
    await_new_result(page, before)
    return settle(page)


def await_new_result(page, before):
    """Wait until the picture of the result is another than in what `IMAGES` said before."""
    page.wait_for_function(
        f"(before) => {{ const now = ({IMAGES})()[2]; return now !== null && now !== before[2]; }}",
        arg=before,
    )


def put(page, name, value):
    """Move a slider or fill a field, as a person who lets go of it."""
    control(page, name).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }",
        value,
    )


def assert_clean(page, watch):
    """Nothing left the machine, nothing was complained about, no error stands in the page."""
    assert watch.elsewhere == []
    assert [text for text in watch.complaints if not known(text)] == []
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    body = page.locator("body").inner_text()
    for sign in ("Traceback (most recent", "Error displaying widget", "Failed to load model"):
        assert sign not in body


def known(text):
    """JupyterLab asks for the settings, workspace and session files that a fresh installation lacks."""
    return "404" in text and "/api/" in text


def serious(page, include):
    """Return axe-core's serious and critical findings in the parts of the page that are ours."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [include]}).response["violations"]
    return [
        (v["id"], [n["target"] for n in v["nodes"]][:4])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def shoot(page, name, selector=None):
    """Keep a picture of the page, in 256 colours, where pictures are wanted."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        target = page.locator(selector).first if selector else page
        picture = Image.open(io.BytesIO(target.screenshot())).convert("RGB")
        picture.quantize(96).save(Path(SHOTS) / f"{name}.png", optimize=True)


@pytest.fixture
def sounds(tmp_path):
    """A real sound of some seconds, a long one of over 50 MB, and a file that is none."""
    t = np.arange(4 * 48000) / 48000
    chirp = 0.2 * np.sin(2 * np.pi * (200 + 150 * t) * t) * (1 + 0.5 * np.sin(2 * np.pi * 5 * t))
    soundfile.write(tmp_path / "mine.wav", np.stack([chirp, 0.5 * chirp], axis=1), 48000)
    long = np.tile(np.stack([chirp, chirp], axis=1), (72, 1))
    soundfile.write(tmp_path / "long.wav", long, 48000)
    assert (tmp_path / "long.wav").stat().st_size > 50e6
    (tmp_path / "broken.wav").write_bytes(b"RIFF, so it says" * 100)
    return tmp_path


# Voilà


@pytest.mark.parametrize("width", [1280, 420])
def test_page_fits_and_is_accessible(app, width):
    page, watch = app
    page.set_viewport_size({"width": width, "height": 1000})
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # As wide as the page, whatever is in them.
    assert page.locator(".as-player").bounding_box()["width"] > 0.85 * width
    for box in page.locator(".as-widget").all():
        assert box.bounding_box()["x"] + box.bounding_box()["width"] <= width
    assert page.evaluate(CUT_OFF) == []
    assert serious(page, "body") == []
    assert (
        page.locator("button, input, select").evaluate_all(
            "(all) => all.filter((e) => !e.title && !e.getAttribute('aria-label')).map((e) => e.outerHTML)"
        )
        == []
    )
    if SHOTS:  # clips of this repository, at full length
        for source, name in enumerate(("violin_canon", "piano_fur_elise")):
            page.locator(".as-source select").nth(source).select_option(name)
            page.locator(".as-source").nth(source).get_by_text(f"{name}.ogg: 10.0 s").wait_for()
        for balance in (0.4, 0.7):
            put(page, "balance", balance)
            assert run(page).startswith("Done: 10.0 s")
    # Tall enough for all of it: the page scrolls inside a frame.
    page.set_viewport_size({"width": width, "height": 1720 if width > 1000 else 2500})
    shoot(page, f"style_lab_{width}")
    page.set_viewport_size({"width": 1280, "height": 1000})
    assert_clean(page, watch)


def test_own_files_to_saved_result(app, sounds, environment):
    page, watch = app
    content = page.locator(".as-source").nth(0)
    content.locator("input[type=file]").set_input_files(sounds / "mine.wav")
    content.get_by_text("mine.wav: 4.0 s").wait_for()
    content.locator("input[type=file]").set_input_files(sounds / "broken.wav")
    content.get_by_text("not a sound file that can be read").wait_for()
    assert "mine.wav stays in use" in content.locator(".as-status").inner_text()
    style = page.locator(".as-source").nth(1)
    style.locator("input[type=file]").set_input_files(sounds / "long.wav")
    style.get_by_text("long.wav: 288.0 s").wait_for()
    style.locator("input[type=range]").nth(0).evaluate(
        "(e) => { e.value = 100; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')); }"
    )
    status = run(page)
    assert status.startswith("Done: 4.0 s"), status
    put(page, "name", "my result")
    control(page, "save").click()
    links = page.locator(".as-downloads a")
    links.nth(1).wait_for()
    with page.expect_download() as download:
        links.nth(0).click()
    got = Path(download.value.path())
    saved = Path(environment["AUDIOSTYLE_RESULTS_DIR"]) / "saved" / "my result.wav"
    assert download.value.suggested_filename == "my result.wav"
    assert got.read_bytes() == saved.read_bytes()
    assert soundfile.info(saved).frames == 4 * SR
    recipe = json.loads(saved.with_suffix(".json").read_text())
    assert recipe["content"]["path"] == "mine.wav"
    assert recipe["style"]["start"] == 100.0
    assert_clean(page, watch)


def test_result_changes_picture_and_sound_and_moves_nothing(app):
    page, watch = app
    images, playing = page.evaluate(IMAGES), page.evaluate(SOUNDS)
    place = page.evaluate(PLACES)
    put(page, "balance", 0.2)
    assert run(page, "preview").startswith("Done: 3.0 s")
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
    put(page, "n_iter", 100)
    assert_clean(page, watch)


def test_switching_while_playing_keeps_the_position(app):
    page, watch = app
    page.wait_for_function(f"() => ({SOUNDS})()[2] !== null")
    page.locator(".as-play").click()
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
    page.locator(".as-play").click()
    held = page.evaluate(POSITION)
    assert page.evaluate(POSITION) == held
    assert_clean(page, watch)


def test_everything_by_keyboard(app):
    page, watch = app
    page.wait_for_function(f"() => ({SOUNDS})()[2] !== null")
    reached = set()
    page.locator("body").press("Tab")
    for _ in range(80):
        reached.add(page.evaluate("() => document.activeElement.name || document.activeElement.className"))
        page.keyboard.press("Tab")
    settings = "balance encoder kernel_size n_iter phase seed run preview save name format"
    wanted = set(settings.split())
    assert wanted <= reached
    assert {"as-seek", "as-play as-primary"} <= reached
    put(page, "balance", 0.7)
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


# JupyterLab


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
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.keyboard.press("Control+b")
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
    page.get_by_text(re.compile("Saved result.wav")).wait_for()
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
    for part in (".as-form", ".as-map", ".as-player"):
        assert serious(page, part) == [], part
    assert_clean(page, watch)
