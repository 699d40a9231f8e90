"""The widgets without a browser: set values in Python, read what is displayed."""

from dataclasses import replace

import numpy as np
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.files.presets import get_preset
from audiostyle.widgets.renders import Rendered, load_stored, method_config, store
from experiments.pairs import fill_grid, run_pair, write_runs
from experiments.results import Results

SR = 22050
WAIT = 120
SMOKE = get_preset("smoke")


def test_explorer_finds_what_the_notebooks_of_the_pairs_ran(explorer):
    pair = get_pair("instrument-2", "bundled")
    run = run_pair(pair, SMOKE, progress=False)
    write_runs([run], Results("smoke", "bundled"))
    explorer.select(pair=pair.pair, method="random", balance=SMOKE.config.balance)
    assert explorer.wait(WAIT)
    assert explorer.shown.stored
    assert explorer.form.status.startswith("Stored result: 256 random filters")
    assert explorer.shown.numbers["style_share_limit"] < 1
    # as kept in 16 bits
    np.testing.assert_allclose(explorer.shown.y, run.result.y, atol=1 / 2**15)


def test_explorer_opens_with_matched_timbre_and_computes_every_other_method_on_demand(explorer):
    assert explorer.shown.config.method == "matched"
    assert "matched timbre, balance 0.50, computed here" in explorer.form.status
    matched = explorer.shown.y
    explorer.select(method="infinite")
    assert explorer.wait(WAIT)
    assert explorer.shown.config.method == "gram"
    assert "infinite width, balance 0.50, computed here" in explorer.form.status
    assert not np.allclose(explorer.shown.y, matched, atol=1e-3)


def test_explorer_opens_with_sound_picture_and_numbers(explorer, samples):
    for name in ("content", "style", "result"):
        assert len(samples(explorer.player, name)) == 3 * SR
    assert explorer.player.slot("difference")["image"]
    assert explorer.form.status_kind == "info"
    assert "–" not in explorer.numbers.value
    assert (
        f"{explorer._computed[next(iter(explorer._computed))].numbers['style_share_limit']:.3f}"
        in explorer.numbers.value
    )


def test_balance_changes_result_and_nothing_else(explorer):
    before = {name: explorer.player.slot(name) for name in ("content", "style", "result", "difference")}
    explorer.select(balance=0.95)
    assert explorer.wait(WAIT)
    for name in ("content", "style"):
        assert explorer.player.slot(name) == before[name]
    for key in ("image", "audio"):
        assert explorer.player.slot("result")[key] != before["result"][key]
    assert explorer.player.slot("difference")["image"] != before["difference"]["image"]
    assert explorer.shown.config.balance == 0.95


def test_pair_changes_everything(explorer):
    before = {name: explorer.player.slot(name) for name in ("content", "style", "result")}
    explorer.select(pair="speech-2")
    assert explorer.wait(WAIT)
    for name, old in before.items():
        assert explorer.player.slot(name)["audio"] != old["audio"]
        assert explorer.player.slot(name)["image"] != old["image"]


def test_more_balance_is_more_style(no_phase):
    pair = get_pair("instrument-1", "bundled")
    shares = [
        fill_grid(pair, SMOKE, [b], methods=("infinite",))["infinite", b].numbers["style_share_limit"]
        for b in (0.3, 0.9)
    ]
    assert 1 > shares[0] > shares[1]


def test_explorer_reads_what_is_stored_and_says_what_is_not(explorer, content):
    explorer.select(method="random", balance=0.4)
    assert explorer.wait(WAIT)
    assert "256 filters at balance 0.40 are not stored" in explorer.form.status
    assert explorer.shown.config.encoder == "infinite"
    pair, config = explorer.pair, method_config("random", 0.4, SMOKE)
    marked = np.resize(content, 3 * SR)
    store(pair, SMOKE.duration, Rendered(marked, SR, config, {"style_share_limit": 0.123, "seconds": 1.0}))
    explorer.select(balance=0.5)
    explorer.select(balance=0.4)
    assert explorer.wait(WAIT)
    assert explorer.form.status.startswith("Stored result: 256 random filters")
    assert "0.123" in explorer.numbers.value
    np.testing.assert_allclose(explorer.shown.y, marked, atol=1 / 2**15)


def test_stored_result_is_not_found_for_other_settings(no_phase, content):
    pair, config = get_pair("instrument-1", "bundled"), method_config("infinite", 0.5, SMOKE)
    store(pair, 3.0, Rendered(content, SR, config, {}))
    assert load_stored(pair, 3.0, config) is not None
    assert load_stored(pair, 4.0, config) is None
    assert load_stored(pair, 3.0, replace(config, kernel_size=5)) is None
    assert load_stored(get_pair("instrument-2", "bundled"), 3.0, config) is None
    random = method_config("random", 0.5, SMOKE)
    store(pair, 3.0, Rendered(content, SR, random, {}))
    assert load_stored(pair, 3.0, random) is not None
    assert load_stored(pair, 3.0, replace(random, seed=random.seed + 1)) is None
    assert load_stored(pair, 3.0, replace(random, n_filters=8)) is None


def test_explorer_refuses_unknown_values_and_stays(explorer):
    before = dict(explorer.form.values)
    for wrong, message in (
        ({"pair": "opera"}, "pair='opera'"),
        ({"balance": 1.5}, "balance=1.5"),
        ({"method": "vgg"}, "method='vgg'"),
        ({"volume": 1}, "no control 'volume'"),
        ({"balance": 0.2, "pair": "opera"}, "pair='opera'"),
    ):
        with pytest.raises(ValueError, match=message):
            explorer.select(**wrong)
        assert explorer.form.values == before


def test_explorer_blind_test_uses_its_sounds(explorer, samples):
    explorer.abx.form.update(a="content", b="infinite", n_trials=5)
    explorer.abx.begin()
    # Both are scaled to one peak, from two levels: they may differ by a step of 16 bits.
    heard = [samples(p, n) for p, n in ((explorer.abx.player, "a"), (explorer.player, "content"))]
    np.testing.assert_allclose(*heard, atol=1.01 / 2**15)
    explorer.select(pair="symphonic-1")
    assert explorer.wait(WAIT)
    assert explorer.abx.test is None
    explorer.abx.form.update(a="random")
    explorer.abx.begin()
    assert explorer.abx.form.status_kind == "error"
    assert "not stored" in explorer.abx.form.status
