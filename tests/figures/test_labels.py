import matplotlib.pyplot as plt
import numpy as np
import pytest

from audiostyle.figures.labels import place_labels
from audiostyle.figures.speakers import show_map

BOUNDS = (0.0, 0.0, 300.0, 200.0)


def _overlap(a, b):
    return (np.abs(a[:2] - b[:2]) < (a[2:] + b[2:]) / 2 - 1e-6).all()


def _any_overlap(boxes):
    return any(_overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("spread", [0.0, 3.0, 100.0])
def test_labels_are_apart_and_inside(rng, spread):
    anchors = np.array([290.0, 190.0]) - spread * rng.random((12, 2))
    sizes = np.stack([rng.uniform(10, 50, 12), np.full(12, 14.0)], axis=1)
    taken = np.array([150.0, 100.0, 60.0, 40.0])
    centres = place_labels(anchors, sizes, bounds=BOUNDS, taken=[taken])
    boxes = np.concatenate([centres, sizes], axis=1)
    assert not _any_overlap([*boxes, taken])
    assert (centres - sizes / 2 >= -1e-6).all()
    assert (centres + sizes / 2 <= np.array(BOUNDS[2:]) + 1e-6).all()


@pytest.mark.parametrize(("width", "beside"), [(10.0, True), (200.0, False)])
def test_a_label_stands_beside_a_point_unless_that_were_far(width, beside):
    anchor, size = np.array([[150.0, 100.0]]), np.full((1, 2), 12.0)
    point = np.array([150, 100, width, width])
    (centre,) = place_labels(anchor, size, bounds=BOUNDS, points=[point])
    assert _overlap(np.array([*centre, 12, 12]), point) != beside
    assert np.linalg.norm(centre - anchor) <= (2.5 * 12 if beside else 0)


def test_names_on_the_map_of_speakers_are_apart(rng):
    place = 0.01 * rng.normal(size=(40, 2))
    place[0] = 1.0, 1.0
    speakers = np.repeat([f"p{k:03d}" for k in range(10)], 4)
    fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    show_map(place, speakers, np.arange(0, 40, 2), np.array([2]), ax=ax, title="Map")
    fig.canvas.draw()
    texts = [text for text in ax.texts if text.get_text() in speakers]
    assert len(texts) == 10
    extents = [text.get_window_extent() for text in texts]
    boxes = [np.array([*(e.max + e.min) / 2, *e.size]) for e in extents]
    assert not _any_overlap(boxes)
    frame = ax.get_window_extent()
    assert all(frame.x0 <= extent.x0 < extent.x1 <= frame.x1 for extent in extents)
