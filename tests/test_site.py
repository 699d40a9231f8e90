"""The site: its sounds are what the code makes, its pages hold together and ask no other server for anything."""

import io
import re

import numpy as np
import pytest
import soundfile

from audiostyle.datasets import paths
from audiostyle.system import sha256
from experiments import truth
from experiments.results import committed
from website import build, sounds
from website.places import FIRST, METHODS, places

PLACES = {place.name: place for place in places()}


def test_every_sound_is_listed_small_whole_and_as_far_from_the_truth_as_the_table_says():
    made = sounds.table()
    table = committed("truth").set_index(["pair", "method"])["lsd"]
    assert sorted(made["file"]) == sorted(path.name for path in sounds.folder().glob("*.ogg"))
    for row in made.itertuples():
        path = sounds.folder() / row.file
        assert path.stat().st_size <= 100_000, row.file
        assert sha256(path) == row.sha256, row.file
        if PLACES[row.place].kind == "triple":
            assert row.target_lsd == pytest.approx(table[row.place, row.method], abs=0.2), row.file
    found = set(made[["place", "method"]].itertuples(index=False, name=None))
    for name, place in PLACES.items():
        wanted = METHODS if place.kind == "pair" or name == FIRST else (truth.EQUALISER, truth.DEFAULT)
        assert {(name, method) for method in wanted} <= found


@pytest.mark.parametrize(
    ("name", "method"), [(FIRST, truth.DEFAULT), (FIRST, truth.EQUALISER), ("speech-2", truth.EQUALISER)]
)
def test_sounds_are_what_the_code_makes(name, method):
    audio = PLACES[name].load()
    y = truth.make_sound(method, audio.content, audio.style, audio.sr)
    kept, sr = soundfile.read(sounds.folder() / f"{name}-{METHODS[method][0]}.ogg")
    again, _ = soundfile.read(io.BytesIO(sounds.ogg_bytes(y, audio.sr)))
    assert (sr, len(kept)) == (audio.sr, len(y))
    y = y * min(1.0, 0.9 / np.max(np.abs(y)))
    # As far from the sound as the codec takes it, and no farther.
    assert np.sum((kept - y) ** 2) <= 1.5 * np.sum((again - y) ** 2)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of two players and one notebook."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "places", lambda: [PLACES["instrument-1"], PLACES[FIRST]])
        notebook = paths.root() / "notebooks" / "02_random_features_and_gram.ipynb"
        patch.setattr(build, "notebooks", lambda: [notebook])
        yield build.build(tmp_path_factory.mktemp("pages") / "site")


def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site):
    found, seen = {path.relative_to(site): path.read_text() for path in site.rglob("*.html")}, 0
    anchors = {
        (site / name).resolve(): set(re.findall(r' id="([^"]+)"', text)) for name, text in found.items()
    }
    for name, text in found.items():
        for address in re.findall(r'(?:href|src)="(?!data:|https?:)([^"]+)"', text):
            file, _, anchor = address.partition("#")
            target = (site / name.parent / file).resolve() if file else (site / name).resolve()
            # The neighbours of the only notebook of this site are not there.
            if target.suffix == ".html" and target.parent.name == "notebooks" and target not in anchors:
                continue
            assert target.is_file(), f"{name}: {address}"
            assert not anchor or target.suffix != ".html" or anchor in anchors[target], f"{name}: {address}"
            seen += 1
        assert "Content-Security-Policy" in text, name
        loaded = r"<(?:script|link|img|audio|iframe)[^>]*(?:src|href)=[\"']https?:"
        assert not re.search(loaded + r"|@import|url\(\s*[\"']?https?:", text), name
    assert seen > 30
    assert list((site / "notebooks").glob("*.css")), "large styles are kept in one place"
    for name in ("player.js", "style.css"):
        assert "http:" not in (site / name).read_text().replace("http://www.w3.org/", "")


def test_the_page_says_what_plays_and_has_the_numbers_of_the_table(site):
    page = (site / "index.html").read_text()
    for heading in ("Content", "Style", "Paper’s setting", "Equaliser", "Ours", "Truth"):
        assert f"download>{heading}</a>" in page
    for sound in re.findall(r'"address": "(sounds/[^"]+)"', page):
        y, sr = soundfile.read(site / sound)
        assert f'"duration": {len(y) / sr}' in page
    means = committed("truth_mean").set_index(["set", "method"])
    row = re.search(r'class="ours">.*?</tr>', page)[0]
    assert re.findall(r"<td>(.*?)</td>", row) == [
        f"{means.loc[(part, truth.DEFAULT), measure]:.{digits}f}"
        for part in ("choose", "confirm")
        for measure, digits in (("lsd", 2), ("mcd", 1), ("chroma", 3))
    ]


def test_a_folder_of_something_else_stays(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="no site"):
        build.build(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
