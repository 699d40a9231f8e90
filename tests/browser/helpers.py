"""What the tests in a real browser do to a page and ask of it."""

import io
import os
import re
from pathlib import Path

from PIL import Image

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
# Whether a control of a form is in view and nothing lies over it.
REACHABLE = """(name) => { const e = document.querySelector(`.as-form [name=${name}]`), box = e.getBoundingClientRect();
  return box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth
    && document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2) === e; }"""
LEVELS = "() => document.querySelector('.as-player').audiostyle.level()"


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


def control(page, name):
    return page.locator(f".as-form [name={name}]")


def settle(page, form="Transfer"):
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
    """Keep a picture of the page, or of a part of it, in few colours: under 150 kB."""
    target = page.locator(selector).first if selector else page
    picture = Image.open(io.BytesIO(target.screenshot())).convert("RGB")
    Path(SHOTS).mkdir(parents=True, exist_ok=True)
    for colours in (96, 64, 48, 32):
        kept = io.BytesIO()
        picture.quantize(colours).save(kept, "PNG", optimize=True)
        if len(kept.getvalue()) <= 150_000:
            break
    (Path(SHOTS) / f"{name}.png").write_bytes(kept.getvalue())


def choose_clips(page):
    """Take two clips of this repository at full length, as they were when the page opened."""
    for source, name in enumerate(("violin_canon", "piano_fur_elise")):
        page.locator(".as-source select").nth(source).select_option(name)
        page.locator(".as-source").nth(source).get_by_text(f"{name}.ogg: 10.0 s").wait_for()


def move_balance(page, value):
    """Move the balance and wait for the preview that follows by itself."""
    before = page.evaluate(IMAGES)
    put(page, "balance", value)
    await_new_result(page, before)
    return settle(page)


def unfold(page, label="Settings"):
    """Open what is folded away in a form."""
    page.locator(f".as-form[aria-label='{label}'] details").evaluate("(e) => (e.open = true)")


def scroller(page):
    """What the page scrolls in: Voilà puts its parts into a frame of their own."""
    found = page.evaluate_handle(
        """() => { for (let e = document.querySelector('.as-lab'); e; e = e.parentElement)
          if (/auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1) return e;
          return document.scrollingElement; }"""
    )
    return found.as_element()
