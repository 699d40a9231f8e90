from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.datasets.corpora import Recordings
from audiostyle.files.presets import get_preset
from audiostyle.widgets.renders import Rendered, load_stored, method_config, store
from audiostyle.widgets.speaker_explorer import SpeakerExplorer
from tests.signals import SR, WAIT, samples

SMOKE = get_preset("smoke")


def select(explorer, **values):
    explorer.select(**values)
    assert explorer.wait(WAIT)


def test_explorer_opens_with_matched_timbre_and_computes_what_is_asked_for(explorer):
    assert explorer.shown.config.method == "matched"
    assert "matched timbre, balance 0.50" in explorer.status.text
    for name in ("content", "style", "result"):
        assert len(samples(explorer.player, name)) == 3 * SR
    share = explorer.shown.numbers["style_share_limit"]
    assert f"style loss {share:.3f} · chroma" in explorer.player["result"]["note"]
    before = explorer.player["content"], explorer.player["result"]
    select(explorer, method="infinite", balance=0.8)
    assert (explorer.shown.config.method, explorer.shown.config.balance) == ("gram", 0.8)
    assert "infinite width, polished, balance 0.80, computed here" in explorer.status.text
    assert explorer.player["content"] == before[0]
    assert explorer.player["result"]["audio"] != before[1]["audio"]


def test_explorer_reads_what_is_stored_and_says_what_is_not(explorer, content):
    select(explorer, method="random", balance=0.4)
    assert "is not stored" in explorer.status.text
    assert explorer.shown.config.encoder == "infinite"
    pair, config = get_pair("instrument-1", "bundled"), method_config("random", 0.4, SMOKE)
    marked, numbers = np.resize(content, 3 * SR), {"style_share_limit": 0.123, "seconds": 1.0}
    store(pair, SMOKE.duration, Rendered(marked, SR, config, numbers))
    explorer.select(balance=0.5)
    select(explorer, balance=0.4)
    assert explorer.status.text.endswith("balance 0.40, stored.")
    assert "style loss 0.123" in explorer.player["result"]["note"]
    np.testing.assert_array_equal(explorer.shown.y, marked)
    assert explorer.shown.numbers == numbers
    assert load_stored(pair, SMOKE.duration + 1, config) is None
    assert load_stored(get_pair("instrument-2", "bundled"), SMOKE.duration, config) is None
    assert load_stored(pair, SMOKE.duration, replace(config, seed=1)) is None


def test_explorer_blind_test_uses_its_sounds(explorer):
    controls = explorer.abx.controls
    controls["a"].value, controls["b"].value, controls["n_trials"].value = "content", "matched", 5
    explorer.abx.begin()
    # Both are scaled to one peak, from two levels: they may differ by a step of 16 bits.
    heard = [samples(p, n) for p, n in ((explorer.abx.player, "a"), (explorer.player, "content"))]
    np.testing.assert_allclose(*heard, atol=1.01 / 2**15)
    select(explorer, pair="symphonic-1")
    assert explorer.abx.test is None
    controls["a"].value = "random"
    explorer.abx.begin()
    assert explorer.abx.status.kind == "error"
    assert "not stored" in explorer.abx.status.text


@pytest.fixture
def speakers(rng, content):
    """Six utterances of three speakers on a plane; the last one lies beside the wrong speaker."""
    place = np.array([[0, 0], [0, 1], [9, 0], [9, 1], [4, 9], [9, 2]], dtype=float)
    squared = ((place[:, None] - place) ** 2).sum(axis=-1)
    ys = tuple(content[: 16000 + 100 * i] for i in range(6))
    names = np.array(["p1", "p1", "p2", "p2", "p3", "p3"])
    files = tuple(Path(f"{speaker}_{i}.wav") for i, speaker in enumerate(names))
    items = Recordings("test", ys, names, (None,) * 6, files)
    return SpeakerExplorer(items, squared, np.array([0, 2, 4]), np.array([1, 3, 5])), place


def test_map_keeps_the_distances_of_a_plane(speakers):
    explorer, place = speakers
    shown = np.array([[p["x"], p["y"]] for p in explorer.map.points])
    assert (shown >= 34 - 1e-9).all()
    assert (shown <= np.array([640, 420]) - 34 + 1e-9).all()
    for points in (place, shown):
        points -= points.mean(axis=0)
        points /= np.linalg.norm(points)
    np.testing.assert_allclose(shown @ shown.T, place @ place.T, atol=1e-9)


def test_speaker_explorer_shows_and_plays_the_neighbours(speakers):
    explorer, _ = speakers
    assert explorer.named.tolist() == ["p1", "p2", "p2"]
    assert [p["wrong"] for p in explorer.map.points] == [False] * 5 + [True]
    assert explorer.neighbours(5).tolist() == [2, 4, 0]
    explorer.map.query = 5  # as a click
    assert explorer.controls["utterance"].value == 5
    assert explorer.map.neighbours == [2, 4, 0]
    assert "says p2: WRONG" in explorer.status.text
    assert "2 of 3 are right" in explorer.status.text
    assert [label["text"] for label in explorer.map.labels] == ["p1", "p2", "p3", "?", "1", "2", "3"]
    assert [len(samples(explorer.player, f"near{k}")) for k in range(3)] == [16200, 16400, 16000]
    assert "another speaker" in explorer.player["near0"]["note"]
    assert "same speaker" in explorer.player["near1"]["note"]
    # from (9, 2) to (9, 0), (4, 9) and (0, 0)
    distances = np.array([2, 74**0.5, 85**0.5])
    for k, ratio in enumerate(distances / 2):
        assert explorer.player[f"near{k}"]["note"].endswith(f"distance ×{ratio:.2f}")


def test_speaker_explorer_refuses_a_matrix_of_another_size_and_what_is_not_tested(speakers):
    with pytest.raises(ValueError, match="utterance=0"):
        speakers[0].select(0)
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        SpeakerExplorer(speakers[0].items, np.zeros((2, 2)), [0], [1])
