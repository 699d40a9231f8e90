"""Who sounds like whom: pick an utterance, see and hear its nearest neighbours on the map of speakers."""

from collections.abc import Sequence

import ipywidgets
import numpy as np
import traitlets

from audiostyle.config import TransferConfig
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings
from audiostyle.figures.labels import place_labels
from audiostyle.sound.audio import set_level
from audiostyle.speakers.gram_distance import speaker_map
from audiostyle.widgets.form import Form, Part, choice, script
from audiostyle.widgets.player import Slot, SyncPlayer

_SPEECH = TransferConfig(n_fft=1024, hop_length=256)
_SHOWN = 3
# Picture of the map: width, height and margin in units of its own, and the size of bold letters of 11 of them.
_PICTURE = (640.0, 420.0)
_EDGE = 34.0
_LETTER = (8.0, 15.0)
_ORDINALS = ("Nearest", "2nd nearest", "3rd nearest")


class SpeakerMap(Part):
    """Utterances on a plane; a click on one of the test set chooses it.

    Attributes
    ----------
    points : list of dict
        ``x, y, speaker, label, test, wrong``; places in units of the picture, y downwards.
    labels : list of dict
        ``text``, its centre ``x, y`` and what it names, ``to_x, to_y``.
    size : list of float
        Width and height of the picture.
    query : int
        The utterance chosen.
    neighbours : list of int
        Its nearest neighbours.
    description : str
        What a screen reader says.
    """

    _esm = script("map")
    points = traitlets.List(traitlets.Dict()).tag(sync=True)
    labels = traitlets.List(traitlets.Dict()).tag(sync=True)
    size = traitlets.List(traitlets.Float(), list(_PICTURE)).tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)
    neighbours = traitlets.List(traitlets.Int()).tag(sync=True)
    description = traitlets.Unicode("Map of utterances by speaker").tag(sync=True)


class SpeakerExplorer:
    """Nearest neighbours of utterances, to see and to hear.

    Parameters
    ----------
    items : Recordings
        The utterances.
    squared : np.ndarray [shape=(n_items, n_items), non-negative]
        Squared distances, such as `audiostyle.speakers.methods.squared_distances`.
    train, test : np.ndarray of int
        As `audiostyle.speakers.table.split_items`.

    Attributes
    ----------
    view : ipywidgets.Widget
        What to display.
    named : np.ndarray [shape=(n_test,)] of str
        The speaker of each test utterance's nearest neighbour.

    Raises
    ------
    ValueError
        If the distances are not one for each pair of utterances.

    Notebook: 08_vctk_speakers.ipynb
    """

    def __init__(self, items: Recordings, squared: np.ndarray, train: np.ndarray, test: np.ndarray) -> None:
        squared = np.asarray(squared, dtype=float)
        if squared.shape != (len(items), len(items)):
            raise ValueError(
                f"squared has shape {squared.shape}; {len(items)} utterances need ({len(items)},) * 2"
            )
        self.items, self._squared = items, squared
        self._train, self._test = np.asarray(train), np.asarray(test)
        nearest = self._train[np.argmin(squared[np.ix_(self._test, self._train)], axis=1)]
        self.named = items.speakers[nearest]
        self._right = self.named == items.speakers[self._test]
        options = [(str(i), self._label(i, right)) for i, right in zip(self._test, self._right, strict=True)]
        tooltip = "Whose nearest neighbours to see and hear"
        field = choice("utterance", "Utterance of the test set", tooltip, options, wide=True)
        self.form = Form("Utterance", [field], {"utterance": options[0][0]})
        self._place = in_picture(speaker_map(self._squared))
        self._names = self._name_speakers()
        self.map = SpeakerMap(points=self._points())
        slots = [Slot("query", "Chosen"), *(Slot(f"near{k}", _ORDINALS[k]) for k in range(_SHOWN))]
        self.player = SyncPlayer("Utterance and nearest neighbours", slots)
        self.form.observe(lambda change: self._show(int(change["new"]["utterance"])), "values")
        self.map.observe(lambda change: self.select(change["new"]), "query")
        self._show(int(options[0][0]))
        self.view = ipywidgets.VBox(
            [self.form, self.map, self.player], layout=ipywidgets.Layout(width="100%", overflow="hidden")
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)

    def select(self, item: int) -> None:
        """Choose a test utterance by its index among all utterances.

        Raises
        ------
        ValueError
            If it is not in the test set.
        """
        self.form.update(utterance=str(item))

    def neighbours(self, item: int) -> np.ndarray:
        """Return the training utterances in the order of their distance to an utterance."""
        return self._train[np.argsort(self._squared[item, self._train], kind="stable")]

    def _label(self, i: int, right: bool) -> str:
        return (
            f"{self.items.paths[i].stem} · speaker {self.items.speakers[i]} · {'right' if right else 'WRONG'}"
        )

    def _points(self) -> list[dict]:
        wrong = set(self._test[~self._right].tolist())
        in_test = set(self._test.tolist())
        return [
            {
                "x": float(self._place[i, 0]), "y": float(self._place[i, 1]), "speaker": str(self.items.speakers[i]),
                "label": f"{self.items.paths[i].stem}, speaker {self.items.speakers[i]}",
                "test": i in in_test, "wrong": i in wrong,
            }
            for i in range(len(self.items))
        ]  # fmt: skip

    def _name_speakers(self) -> list[dict]:
        names = np.unique(self.items.speakers)
        means = [self._place[self.items.speakers == name].mean(axis=0) for name in names]
        return place_texts([str(name) for name in names], np.array(means))

    def _mark_chosen(self, item: int, near: np.ndarray) -> list[dict]:
        """Label the chosen utterance with ?, its neighbours with 1 to 3, beside their points and clear of the names."""
        marks = ["?", *(str(k + 1) for k in range(len(near)))]
        return place_texts(marks, self._place[[item, *near]], beside=(14.0, 0.0), taken=self._names)

    def _show(self, item: int) -> None:
        near = self.neighbours(item)[:_SHOWN]
        speaker = self.items.speakers[item]
        with self.map.hold_sync():
            self.map.query, self.map.neighbours = item, [int(i) for i in near]
            self.map.labels = self._names + self._mark_chosen(item, near)
            self.map.description = (
                f"Map of {len(self.items)} utterances; chosen: {self.items.paths[item].stem}"
            )
        self._play("query", item, f"speaker {speaker}")
        for k, i in enumerate(near):
            same = "same speaker" if self.items.speakers[i] == speaker else "another speaker"
            ratio = np.sqrt(self._squared[item, i] / max(self._squared[item, near[0]], 1e-300))
            self._play(f"near{k}", int(i), f"{self.items.speakers[i]}: {same}, distance ×{ratio:.2f}")
        verdict = "right" if self.items.speakers[near[0]] == speaker else "WRONG"
        self.form.say(
            f"{self.items.paths[item].stem} is speaker {speaker}; the nearest neighbour says "
            f"{self.items.speakers[near[0]]}: {verdict}. Of all test utterances {self._right.sum()} of "
            f"{len(self._right)} are right."
        )

    def _play(self, slot: str, item: int, note: str) -> None:
        y = set_level(self.items.ys[item])
        self.player.show(slot, y, SAMPLE_RATE, note=note, config=_SPEECH)


def in_picture(place: np.ndarray) -> np.ndarray:
    """Scale points [shape=(n, 2)] into the picture of the map, both axes alike, and turn y downwards."""
    place = np.asarray(place, dtype=float) * (1, -1)
    middle, extent = (place.max(axis=0) + place.min(axis=0)) / 2, np.ptp(place, axis=0)
    room = np.array(_PICTURE) - 2 * _EDGE
    scale = np.min(room / np.maximum(extent, 1e-12 + 1e-9 * extent.max()))
    return (place - middle) * scale + np.array(_PICTURE) / 2


def place_texts(
    texts: list[str],
    points: np.ndarray,
    *,
    beside: tuple[float, float] = (0.0, 0.0),
    taken: Sequence[dict] = (),
) -> list[dict]:
    """Label points of the picture, no label over another nor over those that are `taken`."""
    boxes = [[label["x"], label["y"], *_size(label["text"])] for label in taken]
    sizes = np.array([_size(text) for text in texts])
    centres = place_labels(points + np.array(beside), sizes, bounds=(0.0, 0.0, *_PICTURE), taken=boxes)
    return [
        {"text": text, "x": float(x), "y": float(y), "to_x": float(to_x), "to_y": float(to_y)}
        for text, (x, y), (to_x, to_y) in zip(texts, centres, points, strict=True)
    ]


def _size(text: str) -> tuple[float, float]:
    width, height = _LETTER
    return width * len(text) + 4, height
