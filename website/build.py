"""Build the site from committed results, in seconds: ``python -m website.build`` (``make site``).

A front page with the six pairs and one known target, a page with all fourteen, and the notebooks as they are committed,
into ``results/site``. Where the recordings are at hand, their pairs too, whose results take minutes once. No page asks
another server for anything, and none may: each says so in its policy.
"""

import argparse
import base64
import hashlib
import html
import io
import re
import shutil
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import soundfile
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyter_core.paths import jupyter_path
from PIL import Image

from audiostyle.datasets import paths
from audiostyle.datasets.clips import current_edition
from audiostyle.figures.spectrograms import RANGE_DB, to_decibels
from audiostyle.sound.levels import rms
from audiostyle.spectrogram import frequencies, magnitudes
from audiostyle.widgets.parts import script, stylesheet
from audiostyle.widgets.player import css_colours, png_bytes
from experiments import truth
from experiments.results import committed
from notebooks.run import notebooks, to_html
from website import sounds
from website.places import FIRST, METHODS, Place, places, recordings

TEMPLATES = Path(__file__).parent / "templates"
# Images and styles may stand in the page; scripts are files of the site, or, in notebooks, those with these digests.
POLICY = "default-src 'self'; img-src 'self' data:; media-src 'self' data:; style-src 'self' 'unsafe-inline'"
# Frames of 186 ms every 12 ms: partials of low notes stand apart, attacks are where they are heard.
_N_FFT, _HOP = 4096, 256
_LOW_HZ, _HIGH_HZ, _ROWS = 90.0, 8000.0, 300
# Root mean square of every picture.
_LEVEL = 0.05
# Characters of a style from which on it is a file of its own.
_LARGE = 10_000
_TRUTH = ("target", "Truth")
# Tells a site, and GitHub Pages that it needs no Jekyll.
MARK = ".nojekyll"


def sources(place: Place, made: pd.DataFrame) -> dict[str, tuple[str, Path]]:
    """Return what can be heard of a place: name, heading and file, in the order of the player."""
    found = {"content": ("Content", place.content), "style": ("Style", place.style)}
    for method, (name, heading) in METHODS.items():
        for file in made.loc[(made["place"] == place.name) & (made["method"] == method), "file"]:
            found[name] = (heading, sounds.folder() / file)
        if name in place.made:
            found[name] = (heading, place.made[name])
    if place.target:
        found[_TRUTH[0]] = (_TRUTH[1], place.target)
    return found


def picture(S: np.ndarray, sr: int, reference: float) -> bytes:
    """Return magnitudes over a logarithmic axis as WebP, 0 dB at the reference."""
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _ROWS + 1)
    bins = np.searchsorted(frequencies(sr, _N_FFT), edges)
    # The loudest bin of a row, as a peak would vanish in a mean; where rows are narrower than bins, the next bin.
    rows = np.stack([S[a : max(b, a + 1)].max(axis=0) for a, b in pairwise(bins)])
    image = Image.open(io.BytesIO(png_bytes(to_decibels(rows, reference), -RANGE_DB, 0.0, "magma")))
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, format="WEBP", quality=80, method=2)
    return buffer.getvalue()


def page_of(place: Place, made: pd.DataFrame, out: Path) -> dict:
    """Write the sounds and pictures of a place and return what the templates say of it."""
    heard = sources(place, made)
    waves = {name: soundfile.read(file, dtype="float32") for name, (_, file) in heard.items()}
    spectra = {
        name: magnitudes(y * (_LEVEL / max(rms(y), 1e-9)), n_fft=_N_FFT, hop_length=_HOP)
        for name, (y, _) in waves.items()
    }
    reference = max(float(S.max()) for S in spectra.values())
    listed, slots = [], {}
    for i, (name, (heading, file)) in enumerate(heard.items()):
        y, sr = waves[name]
        sound, image = f"sounds/{place.name}-{name}.ogg", f"pictures/{place.name}-{name}.webp"
        shutil.copyfile(file, out / sound)
        (out / image).write_bytes(picture(spectra[name], sr, reference))
        listed.append({"address": sound, "heading": heading})
        slots[f"slot{i}"] = {
            "address": sound, "sr": sr, "duration": len(y) / sr, "rms": rms(y), "peak": float(np.max(np.abs(y))),
            "image": image, "alt": f"Spectrogram of {heading.lower()}: {len(y) / sr:.0f} s, 90 Hz to 8 kHz",
        }  # fmt: skip
    player = {
        "label": f"Player, {place.title}",
        "slots": [{"heading": heading, "listen": True} for heading, _ in heard.values()],
        "heard": list(heard).index("ours"),
        "pictures": True, "min_khz": _LOW_HZ / 1000, "max_khz": _HIGH_HZ / 1000,
        "scales": [{"low": f"−{RANGE_DB:g} dB", "high": "0 dB", "colours": css_colours("magma")}],
        **slots,
    }  # fmt: skip
    own = made[made["place"] == place.name].dropna(subset=["target_lsd"]).set_index("method")["target_lsd"]
    return {
        "name": place.name, "title": place.title, "content_text": place.content_text, "style_text": place.style_text,
        "sounds": listed, "player": player, "kind": place.kind,
        "distances": {METHODS[method][1].lower(): own[method] for method in METHODS if method in own},
    }  # fmt: skip


def truth_table() -> list[dict]:
    """Return the rows of the table of truth, as text."""
    table = committed("truth_mean").pivot(index="method", columns="set")
    columns = [(m, part) for part in ("choose", "confirm") for m in ("lsd", "mcd", "chroma")]
    digits = {"lsd": 2, "mcd": 1, "chroma": 3}
    return [
        {
            "method": "audiostyle (ours)" if name == truth.DEFAULT else name,
            "ours": name == truth.DEFAULT,
            "values": [f"{table.loc[name, column]:.{digits[column[0]]}f}" for column in columns],
        }
        for name in truth.NAMES
        if name in table.index
    ]


def notebook_pages(out: Path) -> Iterator[dict]:
    """Write the notebooks as pages and yield what the front page says of each."""
    for path in sorted(notebooks()):
        notebook = nbformat.read(path, as_version=4)
        title, about = heading_of(notebook)
        address = f"notebooks/{path.stem}.html"
        page = shared_styles(framed(to_html(notebook, title)), out / "notebooks")
        (out / address).write_text(page, encoding="utf-8")
        yield {"address": address, "title": title, "about": about}


def heading_of(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """Return the title of a notebook and the sentence below it."""
    title, _, rest = notebook.cells[0].source.partition("\n")
    sentence = re.split(r"(?<=[.?!])\s", " ".join(rest.split()), maxsplit=1)[0]
    return title.lstrip("# "), re.sub(r"[*`]|\[(.+?)\]\(.+?\)", r"\1", sentence)


def framed(page: str) -> str:
    """Return a notebook's page with the way back, the policy, and dark colours for those whose system is dark."""
    digests = [
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
        for code in re.findall(r"<script[^>]*>(.*?)</script>", page, flags=re.DOTALL)
    ]
    scripts = " ".join(digests) or "'none'"
    policy = html.escape(f"{POLICY}; script-src {scripts}", quote=True)
    style = (TEMPLATES / "notebook.css").read_text(encoding="utf-8")
    parts = {
        "<head>": f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">',
        "</head>": f'<link rel="icon" href="../icon.svg" type="image/svg+xml"><style>{style}\n{night()}</style></head>',
        "<main>": '<nav class="back" aria-label="Site"><a href="../index.html">audiostyle</a></nav><main>',
    }
    for mark, replacement in parts.items():
        page = page.replace(mark, replacement, 1)
    # The corner of a table is no heading.
    return re.sub(r"<th[^>]*>(?:&nbsp;|\s)*</th>", "<td></td>", page)


def shared_styles(page: str, folder: Path) -> str:
    """Return a page whose large styles, which all notebooks have in common, are files in a folder, written once."""

    def linked(match: re.Match) -> str:
        if len(match[1]) < _LARGE:
            return match[0]
        name = f"{hashlib.sha256(match[1].encode()).hexdigest()[:12]}.css"
        (folder / name).write_text(match[1], encoding="utf-8")
        return f'<link rel="stylesheet" href="{name}">'

    return re.sub(r"<style[^>]*>(.*?)</style>", linked, page, flags=re.DOTALL)


def night() -> str:
    """Return nbconvert's dark colours."""
    folders = (Path(folder) for folder in jupyter_path("nbconvert", "templates", "lab", "static"))
    sheet = next(folder / "theme-dark.css" for folder in folders if folder.is_dir())
    colours = re.findall(r":root\s*\{.*?\}", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    return f"@media (prefers-color-scheme: dark) {{ {' '.join(colours)} }}"


def build(out: Path, *, recorded: bool = False) -> Path:
    """Build the site into a folder, whose earlier site is removed; with the recordings, if they are at hand.

    Raises
    ------
    ValueError
        If the folder holds something else.
    """
    if out.exists():
        if any(out.iterdir()) and not (out / MARK).is_file():
            raise ValueError(f"{out} holds something that is no site; name another folder")
        shutil.rmtree(out)
    for name in ("sounds", "pictures", "notebooks"):
        (out / name).mkdir(parents=True)
    (out / MARK).touch()
    made = sounds.table()
    pages = [page_of(place, made, out) for place in (*places(), *(recordings() if recorded else ()))]
    means = committed("truth_mean")
    triples = [page for page in pages if page["kind"] == "triple"]
    values = {
        "policy": POLICY,
        "pairs": [page for page in pages if page["kind"] == "pair"],
        "recordings": [page for page in pages if page["kind"] == "recording"],
        "triples": sorted(triples, key=lambda page: page["distances"]["ours"]),
        "first": next(page for page in pages if page["name"] == FIRST),
        "table": truth_table(),
        "confirm": means[means["set"] == "confirm"].set_index("method")["lsd"].to_dict(),
        "notebooks": list(notebook_pages(out)),
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for name in ("index.html", "targets.html"):
        text = environment.get_template(f"{name}.j2").render(values)
        (out / name).write_text(text, encoding="utf-8")
    _write_parts(out)
    return out


def _write_parts(out: Path) -> None:
    player = script("player").replace("export default { render };", "")
    page = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    (out / "player.js").write_text(f"(() => {{\n{player}\n{page}}})();\n", encoding="utf-8")
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    (out / "style.css").write_text(f"{stylesheet()}\n{style}", encoding="utf-8")
    shutil.copyfile(TEMPLATES / "icon.svg", out / "icon.svg")
    shutil.copyfile(paths.root() / "LICENSE", out / "LICENSE.txt")
    shutil.copyfile(paths.registry_dir() / "LICENSE-CC0.txt", out / "LICENSE-CC0.txt")


def main(argv: list[str] | None = None) -> None:
    """Build the site and say where it is and how large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=paths.results_root() / "site", help="folder to build into")
    start = time.perf_counter()
    try:
        out = build(parser.parse_args(argv).to, recorded=current_edition() == "recorded")
    except ValueError as error:
        parser.error(str(error))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    sys.stdout.write(f"{out / 'index.html'}: {size / 1e6:.1f} MB in {time.perf_counter() - start:.0f} s\n")


if __name__ == "__main__":
    main()
