import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from audiostyle.figures import neighbours as drawn
from experiments.neighbours import FrontEnd, mel_bands


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_front_ends_are_drawn_with_their_rows():
    X = torch.rand(1025, 20)
    figure = drawn.show_front_ends(X, {"linear": FrontEnd(1025), "mel": mel_bands(22050, 2048)}, sr=22050)
    panels = [ax for ax in figure.axes if ax.images]
    assert [ax.images[0].get_array().shape for ax in panels] == [(1025, 20), (128, 20)]
    assert [ax.get_title() for ax in panels] == ["linear: 1025 rows", "mel: 128 rows"]


def test_convergence_is_drawn_on_logarithmic_axes():
    errors = pd.DataFrame({"kernel": [0.4, 0.2], "bound": [0.5, 0.25]}, index=[16, 64])
    (ax,) = drawn.show_convergence(errors).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.lines[0].get_ydata().tolist() == [0.4, 0.2]


def test_onset_strengths_are_drawn_at_their_times():
    X = torch.zeros(4, 6)
    X[:, 3:] = 1.0
    figure = drawn.show_onsets({"a": X, "b": X.flip(1) + X}, sr=22050)
    top, _ = figure.axes
    outline = top.collections[0].get_paths()[0].vertices
    assert outline[outline[:, 1].argmax(), 0] == pytest.approx(3 * 1024 / 22050)
    assert top.get_ylabel() == "a"


def test_means_have_a_marker_for_every_method_and_set():
    rows = [("choose", "mel", 7.0), ("choose", "three", 6.0), ("confirm", "mel", 8.0)]
    (ax,) = drawn.show_means(pd.DataFrame(rows, columns=["set", "method", "lsd"]), "lsd", label="dB").axes
    assert [line.get_xdata().tolist() for line in ax.lines] == [[7.0, 6.0], [8.0]]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["mel", "three"]
