"""Who sounds like whom: pick an utterance, see and hear its nearest neighbours on the map of speakers."""

import anywidget
import ipywidgets
import numpy as np
import traitlets

from audiostyle.config import TransferConfig
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings
from audiostyle.sound.audio import set_level
from audiostyle.speakers.gram_distance import speaker_map
from audiostyle.widgets.form import Form, choice, script, stylesheet
from audiostyle.widgets.player import Slot, SyncPlayer

_SPEECH = TransferConfig(n_fft=1024, hop_length=256)
_SHOWN = 3
_ORDINALS = ("Nearest", "2nd nearest", "3rd nearest")


class SpeakerMap(anywidget.AnyWidget):
    """Utterances on a plane; a click on one of the test set chooses it.

    Attributes
    ----------
    points : list of dict
        ``x, y, speaker, label, test, wrong``.
    query : int
        The utterance chosen.
    neighbours : list of int
        Its nearest neighbours.
    description : str
        What a screen reader says.
    """

    _esm = script("map")
    _css = stylesheet()
    points = traitlets.List(traitlets.Dict()).tag(sync=True)
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
        place = speaker_map(self._squared)
        wrong = set(self._test[~self._right].tolist())
        in_test = set(self._test.tolist())
        return [
            {
                "x": float(place[i, 0]), "y": float(place[i, 1]), "speaker": str(self.items.speakers[i]),
                "label": f"{self.items.paths[i].stem}, speaker {self.items.speakers[i]}",
                "test": i in in_test, "wrong": i in wrong,
            }
            for i in range(len(self.items))
        ]  # fmt: skip

    def _show(self, item: int) -> None:
        near = self.neighbours(item)[:_SHOWN]
        speaker = self.items.speakers[item]
        with self.map.hold_sync():
            self.map.query, self.map.neighbours = item, [int(i) for i in near]
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
