"""What is written under ``results/``: notebooks run in any order, and none may undo another's work."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audiostyle import TransferConfig
from audiostyle.datasets.clips import get_pair
from audiostyle.figures.pairs import write_runs
from audiostyle.studies.pairs import run_pair
from audiostyle.studies.presets import get_preset
from audiostyle.studies.results import Results, with_palette


@pytest.fixture
def results():
    return Results("smoke", "bundled")


def test_manifest_keeps_the_entries_of_other_notebooks(results):
    results.save_manifest(first={"seconds": 1.5})
    results.save_manifest(second=TransferConfig(balance=0.8))
    kept = json.loads(results.save_manifest(first={"seconds": 2.5}).read_text())
    assert kept["first"] == {"seconds": 2.5}
    assert kept["second"]["balance"] == 0.8
    assert (kept["preset"], kept["edition"]) == ("smoke", "bundled")
    assert kept["versions"]["numpy"] == np.__version__


def test_what_is_written_at_once_is_kept(results):
    def write(name):
        results.save_manifest(**{name: 1})
        results.update_table(pd.DataFrame({"name": [name]}), "several", keys=["name"])

    names = [f"notebook {i}" for i in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, names))
    assert set(names) <= set(json.loads(results.path("manifest.json").read_text()))
    assert sorted(results.load_table("several")["name"]) == sorted(names)


def test_update_replaces_the_rows_of_its_keys_and_keeps_the_others(results):
    def rows(**values):
        return pd.DataFrame(
            [{"pair": pair, "seed": seed, "x": x} for (pair, seed), x in values["of"].items()]
        )

    results.update_table(rows(of={("b", 0): 1.0, ("b", 1): 2.0}), "table", keys=["pair", "seed"])
    results.update_table(rows(of={("a", 0): 3.0}), "table", keys=["pair", "seed"])
    results.update_table(rows(of={("b", 1): 4.0}), "table", keys=["pair", "seed"])
    found = results.load_table("table").to_numpy().tolist()
    assert found == [["a", 0, 3.0], ["b", 0, 1.0], ["b", 1, 4.0]]


def test_editions_never_share_a_file(results):
    results.save_table(pd.DataFrame({"x": [1]}), "table")
    with pytest.raises(FileNotFoundError, match=r"recorded.table\.csv does not exist; make it with"):
        Results("smoke", "recorded").load_table("table")


@pytest.mark.parametrize("edition", ["bundled", "recorded"])
def test_sound_made_from_recordings_stays_out_of_the_results(edition):
    config = TransferConfig(n_filters=16, n_iter=2, phase="griffin_lim", griffin_lim_iter=2)
    preset = replace(get_preset("smoke"), duration=1.0, config=config)
    run = run_pair(get_pair("instrument-1", "bundled"), preset, progress=False)
    run = replace(run, pair=replace(run.pair, edition=edition))
    results = Results("smoke", edition)
    write_runs([run], results)
    assert (results.folder / "figures" / "instrument-1.png").is_file()
    sounds = [path.suffix for path in results.folder.rglob("*") if path.parent.name == "audio"]
    assert sounds == ([".ogg"] if edition == "bundled" else [])


def test_what_is_of_no_edition_lies_beside_them_and_pictures_have_256_colours():
    results = Results("smoke")
    assert results.folder == Results("smoke", "bundled").folder.parent
    figure = plt.figure(figsize=(3, 2), dpi=100)
    figure.figimage(np.random.default_rng(0).uniform(size=(200, 300, 3)))
    colours = {}
    for save in (results.save_figure, results.save_picture):
        with Image.open(save(figure, "noise")) as picture:
            colours[save.__name__] = len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0))
    assert set(colours) == {"save_figure", "save_picture"}
    assert max(colours.values()) <= 256
    assert (results.folder / "noise.png").is_file()


def as_png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_few_loud_cells_keep_their_colours_among_many_soft_ones(rng):
    magma = (255 * plt.get_cmap("magma")(np.arange(256))[:, :3]).round()
    pixels = magma[rng.integers(0, 200, (300, 300))] + rng.integers(0, 3, (300, 300, 1))  # blended at edges
    pixels[0, :256] = magma
    shown = np.asarray(Image.open(io.BytesIO(with_palette(as_png(pixels)))).convert("RGB")).astype(float)
    # Counted by pixels, the last 22 steps of the map, 0 to -7 dB of 80, become one colour, 94 of 255 off.
    assert np.abs(shown - pixels).max() <= 4
    assert len(np.unique(shown[0, 234:256], axis=0)) >= 6


def test_a_picture_of_few_colours_stays_as_it_is(rng):
    pixels = rng.integers(0, 256, (200, 3))[rng.integers(0, 200, (40, 40))]
    shown = np.asarray(Image.open(io.BytesIO(with_palette(as_png(pixels)))).convert("RGB"))
    np.testing.assert_array_equal(shown, pixels)
