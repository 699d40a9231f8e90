"""Labels on a plane that stand apart from each other."""

from collections.abc import Sequence

import numpy as np

_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_RINGS = 200


def place_labels(
    anchors: np.ndarray,
    sizes: np.ndarray,
    *,
    bounds: tuple[float, float, float, float],
    taken: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Place labels near what they name so that none overlaps another, each in turn on growing rings.

    `anchors` are where their centres would best be and `sizes` widths and heights, both [shape=(n_labels, 2)]; `bounds`
    left, lowest, right and highest coordinate. Boxes `taken` (centre, width and height) are kept free as well. Returns
    the centres [shape=(n_labels, 2)]; a label for which there is no room stays where it would best be.

    Examples
    --------
    >>> place_labels(np.zeros((2, 2)), np.full((2, 2), 2.0), bounds=(-9, -9, 9, 9)).tolist()
    [[0.0, 0.0], [2.0, 0.0]]
    """
    sizes = np.asarray(sizes, dtype=float)
    low, high = np.array(bounds[:2]) + sizes / 2, np.array(bounds[2:]) - sizes / 2
    boxes = [np.asarray(box, dtype=float) for box in taken]
    places = []
    for anchor, size, least, most in zip(np.asarray(anchors, float), sizes, low, high, strict=True):
        near = _rings(np.clip(anchor, least, most), size.min() / 4)
        inside = (at for at in near if (at >= least).all() and (at <= most).all())
        places.append(next((at for at in inside if _is_free(at, size, boxes)), anchor))
        boxes.append(np.concatenate([places[-1], size]))
    return np.array(places).reshape(-1, 2)


def _rings(centre: np.ndarray, step: float):
    yield centre
    for ring in range(1, _RINGS):
        for angle in _ANGLES:
            yield centre + ring * step * np.array([np.cos(angle), np.sin(angle)])


def _is_free(at: np.ndarray, size: np.ndarray, boxes: Sequence[np.ndarray]) -> bool:
    """Whether a box touches none of the others; those that share an edge are apart."""
    others = np.reshape(boxes, (-1, 4))
    return bool((np.abs(at - others[:, :2]) >= (size + others[:, 2:]) / 2 - 1e-9).any(axis=1).all())
