"""The pair explorer without a browser: set values in Python, read what is displayed."""

from dataclasses import replace

import numpy as np
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.files.presets import get_preset
from audiostyle.widgets.renders import Rendered, load_stored, method_config, render, store

SR = 22050
WAIT = 120
SMOKE = get_preset("smoke")


def test_explorer_opens_with_matched_timbre_and_computes_what_is_asked_for(explorer, samples):
    assert explorer.shown.config.method == "matched"
    assert "matched timbre, balance 0.50" in explorer.status.text
    for name in ("content", "style", "result"):
        assert len(samples(explorer.player, name)) == 3 * SR
    share = explorer.shown.numbers["style_share_limit"]
    assert f"style loss {share:.3f} · chroma" in explorer.player["result"]["note"]
    before = {name: explorer.player[name] for name in ("content", "style", "result", "difference")}
    explorer.select(method="infinite", balance=0.8)
    assert explorer.wait(WAIT)
    assert (explorer.shown.config.method, explorer.shown.config.balance) == ("gram", 0.8)
    assert "infinite width, balance 0.80, computed here" in explorer.status.text
    for name in ("content", "style"):
        assert explorer.player[name] == before[name]
    for key in ("image", "audio"):
        assert explorer.player["result"][key] != before["result"][key]
    assert explorer.player["difference"]["image"] != before["difference"]["image"]
    explorer.select(pair="speech-2")
    assert explorer.wait(WAIT)
    for name in ("content", "style", "result"):
        assert explorer.player[name]["audio"] != before[name]["audio"]


def test_explorer_reads_what_is_stored_and_says_what_is_not(explorer, content):
    explorer.select(method="random", balance=0.4)
    assert explorer.wait(WAIT)
    assert "is not stored" in explorer.status.text
    assert explorer.shown.config.encoder == "infinite"
    pair, config = get_pair("instrument-1", "bundled"), method_config("random", 0.4, SMOKE)
    marked = np.resize(content, 3 * SR)
    numbers = {"style_share_limit": 0.123, "seconds": 1.0}
    store(pair, SMOKE.duration, Rendered(marked, SR, config, numbers))
    explorer.select(balance=0.5)
    explorer.select(balance=0.4)
    assert explorer.wait(WAIT)
    assert explorer.status.text.endswith("balance 0.40, stored.")
    assert "style loss 0.123" in explorer.player["result"]["note"]
    np.testing.assert_array_equal(explorer.shown.y, marked)


def test_stored_result_is_not_found_for_other_settings(content):
    pair, config = get_pair("instrument-1", "bundled"), method_config("random", 0.5, SMOKE)
    store(pair, 3.0, Rendered(content, SR, config, {"seconds": 1.0}))
    found = load_stored(pair, 3.0, config)
    np.testing.assert_array_equal(found.y, content)
    assert found.numbers == {"seconds": 1.0}
    assert load_stored(pair, 4.0, config) is None
    assert load_stored(get_pair("instrument-2", "bundled"), 3.0, config) is None
    for change in ({"kernel_size": 5}, {"seed": 1}, {"n_filters": 8}, {"balance": 0.4}):
        assert load_stored(pair, 3.0, replace(config, **change)) is None


def test_numbers_are_of_the_sound_at_the_level_of_the_computation(content, style):
    config = replace(method_config("infinite", 0.5, SMOKE), n_iter=2, kernel_size=3)
    shares = []
    for gain in (1, 0.1):
        made, result = render(gain * content, style, SR, config)
        assert result.n_iter == 2
        shares.append(made.numbers["style_share_limit"])
    assert shares[1] == pytest.approx(shares[0], rel=0.05)  # the polish amplifies rounding


def test_explorer_blind_test_uses_its_sounds(explorer, samples):
    controls = explorer.abx.controls
    controls["a"].value, controls["b"].value, controls["n_trials"].value = "content", "matched", 5
    explorer.abx.begin()
    # Both are scaled to one peak, from two levels: they may differ by a step of 16 bits.
    heard = [samples(p, n) for p, n in ((explorer.abx.player, "a"), (explorer.player, "content"))]
    np.testing.assert_allclose(*heard, atol=1.01 / 2**15)
    explorer.select(pair="symphonic-1")
    assert explorer.wait(WAIT)
    assert explorer.abx.test is None
    controls["a"].value = "random"
    explorer.abx.begin()
    assert explorer.abx.status.kind == "error"
    assert "not stored" in explorer.abx.status.text
