from pathlib import Path

import numpy as np
import pytest

from audiostyle.datasets.corpora import Recordings
from audiostyle.widgets.speaker_explorer import SpeakerExplorer


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


def test_speaker_explorer_shows_and_plays_the_neighbours(speakers, samples):
    explorer, _ = speakers
    assert explorer.named.tolist() == ["p1", "p2", "p2"]
    assert [p["wrong"] for p in explorer.map.points] == [False] * 5 + [True]
    assert explorer.neighbours(5).tolist() == [2, 4, 0]
    explorer.select(5)
    assert explorer.map.query == 5
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


def test_a_click_on_the_map_chooses(speakers, samples):
    explorer, _ = speakers
    explorer.map.query = 3
    assert explorer.controls["utterance"].value == 3
    assert len(samples(explorer.player, "query")) == 16300
    with pytest.raises(ValueError, match="utterance=0"):
        explorer.select(0)


def test_speaker_explorer_refuses_a_matrix_of_another_size(speakers):
    items = speakers[0].items
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        SpeakerExplorer(items, np.zeros((2, 2)), [0], [1])
