import io
import json
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audiostyle import TransferConfig
from experiments.results import Results, with_palette


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
    for rows in ([("b", 0, 1.0), ("b", 1, 2.0)], [("a", 0, 3.0)], [("b", 1, 4.0)]):
        table = pd.DataFrame(rows, columns=["pair", "seed", "x"])
        results.update_table(table, "table", keys=["pair", "seed"])
    found = results.load_table("table").to_numpy().tolist()
    assert found == [["a", 0, 3.0], ["b", 0, 1.0], ["b", 1, 4.0]]


def test_a_few_loud_cells_keep_their_colours_among_many_soft_ones(rng):
    magma = (255 * plt.get_cmap("magma")(np.arange(256))[:, :3]).round()
    pixels = magma[rng.integers(0, 200, (300, 300))] + rng.integers(0, 3, (300, 300, 1))  # blended at edges
    pixels[0, :256] = magma
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, format="PNG")
    shown = np.asarray(Image.open(io.BytesIO(with_palette(buffer.getvalue()))).convert("RGB")).astype(float)
    # Counted by pixels, the last 22 steps of the map, 0 to -7 dB of 80, become one colour, 94 of 255 off.
    assert np.abs(shown - pixels).max() <= 4
    assert len(np.unique(shown[0, 234:256], axis=0)) >= 6
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= 256
