"""Who sounds like whom: pick an utterance, see and hear its nearest neighbours on the map of speakers."""

import numpy as np
import traitlets

from audiostyle.config import TransferConfig
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings
from audiostyle.figures.labels import place_labels
from audiostyle.sound.levels import set_level
from audiostyle.speakers.gram_distance import speaker_map
from audiostyle.widgets.parts import Element, Shown, Status, box, dropdown, named, put, script
from audiostyle.widgets.player import SyncPlayer

_SPEECH = TransferConfig(n_fft=1024, hop_length=256)
_SLOTS = {"query": "Chosen", "near0": "Nearest", "near1": "2nd nearest", "near2": "3rd nearest"}
_SHOWN = len(_SLOTS) - 1
# Picture of the map: width, height and margin in units of its own, and the size of a bold letter.
_PICTURE, _EDGE, _LETTER = (640.0, 420.0), 34.0, (8.0, 15.0)


class SpeakerMap(Element):
    """Utterances on a plane; a click on one of the test set chooses it (`query`).

    ``points`` are dicts of ``x, y, speaker, label, test, wrong``, in units of the picture with y downwards; ``labels``
    of ``text``, its centre ``x, y`` and what it names, ``to_x, to_y``.
    """

    _esm = script("map")
    points = traitlets.List(traitlets.Dict()).tag(sync=True)
    labels = traitlets.List(traitlets.Dict()).tag(sync=True)
    size = traitlets.List(traitlets.Float(), list(_PICTURE)).tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)
    neighbours = traitlets.List(traitlets.Int()).tag(sync=True)
    description = traitlets.Unicode("Map of utterances by speaker").tag(sync=True)


class SpeakerExplorer(Shown):
    """Nearest neighbours of utterances, to see and to hear.

    Parameters
    ----------
    items : Recordings
        The utterances.
    squared : np.ndarray [shape=(n_items, n_items), non-negative]
        Squared distances, such as `audiostyle.speakers.methods.squared_distances`.
    train, test : np.ndarray of int
        As `audiostyle.speakers.table.split_items`.

    Notebook: 12_many_speakers.ipynb
    """

    def __init__(self, items: Recordings, squared: np.ndarray, train: np.ndarray, test: np.ndarray) -> None:
        squared, n = np.asarray(squared, dtype=float), len(items)
        if squared.shape != (n, n):
            raise ValueError(f"squared has shape {squared.shape}; {n} utterances need ({n},) * 2")
        self.items, self._squared = items, squared
        self._train, self._test = np.asarray(train), np.asarray(test)
        self.named = items.speakers[[self.neighbours(i)[0] for i in self._test]]
        self._right = self.named == items.speakers[self._test]
        options = [
            (f"{self._name(i)} · {'right' if right else 'WRONG'}", int(i))
            for i, right in zip(self._test, self._right, strict=True)
        ]
        tooltip = "Whose nearest neighbours to see and hear"
        self.controls = named({"utterance": dropdown("Utterance of the test set", tooltip, options)})
        self.status = Status(label="Utterance")
        self._place = in_picture(speaker_map(self._squared))
        self._names = self._name_speakers()
        self.map = SpeakerMap(points=self._points())
        self.player = SyncPlayer("Utterance and nearest neighbours", _SLOTS)
        self.controls["utterance"].observe(lambda change: self._show(change["new"]), "value")
        self.map.observe(lambda change: self.select(change["new"]), "query")
        self._show(options[0][1])
        self.view = box(*self.controls.values(), self.status, self.map, self.player, name="as-form")

    def select(self, item: int) -> None:
        """Choose an utterance of the test set by its index among all; a ValueError refuses others."""
        put(self.controls, {"utterance": item})

    def neighbours(self, item: int) -> np.ndarray:
        """Return the training utterances in the order of their distance to an utterance."""
        return self._train[np.argsort(self._squared[item, self._train], kind="stable")]

    def _name(self, i: int) -> str:
        return f"{self.items.paths[i].stem} · speaker {self.items.speakers[i]}"

    def _points(self) -> list[dict]:
        wrong, in_test = set(self._test[~self._right].tolist()), set(self._test.tolist())
        return [
            {
                "x": x, "y": y, "speaker": str(self.items.speakers[i]), "label": self._name(i),
                "test": i in in_test, "wrong": i in wrong,
            }
            for i, (x, y) in enumerate(self._place.tolist())
        ]  # fmt: skip

    def _name_speakers(self) -> list[dict]:
        names = np.unique(self.items.speakers)
        means = [self._place[self.items.speakers == name].mean(axis=0) for name in names]
        return place_texts([str(name) for name in names], np.array(means))

    def _show(self, item: int) -> None:
        near = self.neighbours(item)[:_SHOWN]
        speaker, by = self.items.speakers[item], self.items.speakers[near[0]]
        # The chosen utterance is labelled ?, its neighbours 1 to 3, beside their points and clear of the names.
        marks = ["?", *(str(k + 1) for k in range(len(near)))]
        labels = place_texts(marks, self._place[[item, *near]], beside=(14.0, 0.0), taken=self._names)
        with self.map.hold_sync():
            self.map.query, self.map.neighbours = item, near.tolist()
            self.map.labels = self._names + labels
            self.map.description = f"Map of {len(self.items)} utterances; chosen: {self._name(item)}"
        notes = [f"speaker {speaker}"]
        for i in near:
            same = "same speaker" if self.items.speakers[i] == speaker else "another speaker"
            ratio = np.sqrt(self._squared[item, i] / max(self._squared[item, near[0]], 1e-300))
            notes.append(f"{self.items.speakers[i]}: {same}, distance ×{ratio:.2f}")
        for slot, i, note in zip(_SLOTS, [item, *near], notes, strict=False):
            self.player.show(slot, set_level(self.items.ys[i]), SAMPLE_RATE, note=note, config=_SPEECH)
        self.status.say(
            f"{self._name(item)}; the nearest neighbour says {by}: {'right' if by == speaker else 'WRONG'}. "
            f"Of all test utterances {self._right.sum()} of {len(self._right)} are right."
        )


def in_picture(place: np.ndarray) -> np.ndarray:
    """Scale points [shape=(n, 2)] into the picture of the map, both axes alike, and turn y downwards."""
    place = np.asarray(place, dtype=float) * (1, -1)
    middle, extent = (place.max(axis=0) + place.min(axis=0)) / 2, np.ptp(place, axis=0)
    room = np.array(_PICTURE) - 2 * _EDGE
    scale = np.min(room / np.maximum(extent, 1e-12 + 1e-9 * extent.max()))
    return (place - middle) * scale + np.array(_PICTURE) / 2


def place_texts(
    texts: list[str], points: np.ndarray, *, beside: tuple[float, float] = (0.0, 0.0), taken: list[dict] = ()
) -> list[dict]:
    """Label points of the picture, no label over another nor over those that are `taken`."""
    width, height = _LETTER
    boxes = [[label["x"], label["y"], width * len(label["text"]) + 4, height] for label in taken]
    sizes = np.array([(width * len(text) + 4, height) for text in texts])
    centres = place_labels(points + np.array(beside), sizes, bounds=(0.0, 0.0, *_PICTURE), taken=boxes)
    return [
        {"text": text, "x": float(x), "y": float(y), "to_x": float(to_x), "to_y": float(to_y)}
        for text, (x, y), (to_x, to_y) in zip(texts, centres, points, strict=True)
    ]
