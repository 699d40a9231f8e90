import io
import os
from pathlib import Path

from PIL import Image

SHOTS = os.environ.get("AUDIOSTYLE_SCREENSHOTS")
PLAYER = "document.querySelector('.as-player')"
# A sum over the pixels of every picture, null where there is none yet.
IMAGES = f"""() => [...{PLAYER}.querySelectorAll('figure img')].map((image) => {{
    if (image.hidden || !image.complete || !image.naturalWidth) return null;
    const size = [image.naturalWidth, image.naturalHeight];
    const g = new OffscreenCanvas(...size).getContext('2d');
    g.drawImage(image, 0, 0);
    return g.getImageData(0, 0, ...size).data.reduce((sum, x, n) => sum + x * ((n % 997) + 1), 0);
  }})"""
SOUNDS = f"() => [0, 1, 2, 3].map((i) => {PLAYER}.audiostyle.fingerprint(i))"
POSITION = f"() => {PLAYER}.audiostyle.position()"
LEVELS = f"() => {PLAYER}.audiostyle.level()"
# Whether a control is in view and nothing lies over it.
REACHABLE = """(e) => { const box = e.getBoundingClientRect();
  return box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth
    && e.contains(document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2)); }"""


class Page:
    """A page, with what it asks for on the network and complains about."""

    def __init__(self, page, address):
        self.page, self.requests, self.complaints = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._on_console)
        self.response = page.goto(address)

    def __getattr__(self, name):
        return getattr(self.page, name)

    def _on_console(self, message):
        where = f"{message.text} ({message.location.get('url', '')})"
        # JupyterLab asks for the settings, workspace and session files that a fresh installation lacks.
        if message.type == "error" and not ("404" in where and "/api/" in where):
            self.complaints.append(where)

    def assert_clean(self):
        """Nothing left the machine, nothing was complained about, no error stands in the page."""
        local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:", "file:")
        assert [url for url in self.requests if not url.startswith(local)] == []
        assert self.complaints == []
        assert self.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
        body = self.locator("body").inner_text()
        assert not any(sign in body for sign in ("Traceback (most recent", "Error displaying widget"))

    def control(self, name):
        """A control by its name in Python."""
        return self.locator(f"button.as-c-{name}, .as-c-{name} :is(select, input)").first

    def source(self, i):
        """The card of the content (0) or the style (1)."""
        return self.locator(".as-card").nth(i)

    def status(self, label="Transfer"):
        return self.locator(f".as-said[aria-label='{label}'] .as-status")

    def settle(self, label="Transfer"):
        """Wait until the work is done; returns what is said of it."""
        self.wait_for_selector(f".as-said[aria-label='{label}'] progress.as-idle", state="attached")
        return self.status(label).inner_text()

    def put(self, name, value):
        """Move a slider or fill a field, as a person who lets go of it."""
        self.control(name).evaluate(
            """(e, v) => { e.value = v;
              for (const type of ['input', 'change']) e.dispatchEvent(new Event(type, { bubbles: true })); }""",
            value,
        )

    def fold(self, *, opened):
        if ("mod-active" in self.control("fold").get_attribute("class")) != opened:
            self.control("fold").click()
        self.control("seed").wait_for(state="visible" if opened else "hidden")

    def upload(self, i, path, words):
        self.source(i).locator("input[type=file]").set_input_files(path)
        self.source(i).locator(".as-status", has_text=words).wait_for()

    def await_sound(self, i, before=None):
        """Wait until a slot has a sound, another than before."""
        self.wait_for_selector(".as-player", state="attached")
        known = f"(b) => {PLAYER}.audiostyle && ({SOUNDS})()[{i}] !== b && ({SOUNDS})()[{i}] !== null"
        self.wait_for_function(known, arg=before)

    def await_result(self, before):
        """Wait until the picture of the result is another than in what `IMAGES` said before."""
        self.wait_for_function(f"(b) => ![null, b].includes(({IMAGES})()[2])", arg=before[2])

    def run(self, name="run"):
        before = self.evaluate(IMAGES)
        self.control(name).click()
        self.await_result(before)
        return self.settle()

    def violations(self, include="body", impacts=("serious", "critical")):
        """Return what axe-core finds, of these impacts or of any."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, context={"include": [include]}).response["violations"]
        shown = [v for v in found if impacts is None or v["impact"] in impacts]
        return [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in shown]

    def scroller(self):
        """What the page scrolls in: Voilà puts its parts into a frame of their own."""
        return self.evaluate_handle(
            """() => { for (let e = document.querySelector('.as-lab'); e; e = e.parentElement)
              if (/auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1) return e;
              return document.scrollingElement; }"""
        ).as_element()

    def shoot(self, name, selector=None):
        """Keep a picture of the page, or of a part of it, in few colours: under 150 kB."""
        target = self.locator(selector).first if selector else self.page
        picture = Image.open(io.BytesIO(target.screenshot())).convert("RGB")
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        for colours in (96, 64, 48, 32):
            kept = io.BytesIO()
            picture.quantize(colours).save(kept, "PNG", optimize=True)
            if len(kept.getvalue()) <= 150_000:
                break
        (Path(SHOTS) / f"{name}.png").write_bytes(kept.getvalue())
