"""The comparison of phase methods: same numbers as the methods themselves."""

import time

import numpy as np
import pandas as pd
import pytest

from audiostyle.figures.phase import show_phase_study
from audiostyle.phase.griffin_lim import phase_of, spectral_convergence
from audiostyle.spectrogram import magnitudes
from audiostyle.studies import phase
from audiostyle.studies.phase import CURVES, LOCAL, at_iteration, convergence_curves
from audiostyle.studies.reconstruct import reconstruct_phase

SR = 22050


@pytest.fixture(scope="module")
def sound():
    t = np.arange(SR) / SR
    return (0.1 * np.sin(2 * np.pi * 300 * t * (1 + t))).astype(np.float32)


@pytest.fixture(scope="module")
def curves(sound):
    found = convergence_curves(
        magnitudes(sound), hop_length=1024, length=SR, n_iter=3, content_phase=phase_of(sound)
    )
    return found.assign(signal="chirp", hop=1024)


def test_a_curve_for_each_method_with_a_value_for_each_iteration(curves):
    assert curves["method"].unique().tolist() == list(CURVES)
    for _, curve in curves.groupby("method"):
        assert curve["iteration"].tolist() == [0, 1, 2, 3]
        assert curve["seconds"].is_monotonic_increasing


@pytest.mark.parametrize("name", [name for name, (_, init) in CURVES.items() if init != "content"])
def test_decibels_are_those_of_the_method(curves, sound, name):
    method, init = CURVES[name]
    S = magnitudes(sound)
    y = reconstruct_phase(S, method=method, init=init, n_iter=3, length=SR)
    last = curves[curves["method"] == name]["spectral_convergence_db"].iloc[-1]
    assert last == pytest.approx(spectral_convergence(S, y), abs=1e-3)


def test_seconds_of_an_integrated_start_are_counted(sound, monkeypatch):
    def slow(S, hop_length):
        time.sleep(0.2)
        return np.zeros_like(S)

    monkeypatch.setattr(phase, "phase_gradient_heap", slow)
    found = convergence_curves(magnitudes(sound), hop_length=1024, length=SR, n_iter=1, leave_out=(LOCAL,))
    first = found[found["iteration"] == 0].set_index("method")["seconds"]
    assert (first[first.index.str.contains("PGHI")] > 0.2).all()


def test_the_true_phase_starts_at_rounding(curves):
    start = curves[(curves["method"].str.contains("content")) & (curves["iteration"] == 0)]
    assert start["spectral_convergence_db"].item() < -80


def test_methods_are_left_out(sound):
    found = convergence_curves(magnitudes(sound), hop_length=1024, length=SR, n_iter=1, leave_out=(LOCAL,))
    assert set(found["method"]) == {n for n, (_, init) in CURVES.items() if init != "content"} - {LOCAL}


def test_table_at_an_iteration(curves):
    table = at_iteration(curves, 3)
    assert table.columns.tolist() == ["dB at hop 1024", "s at hop 1024"]
    assert table.index.get_level_values("method").tolist() == list(CURVES)


@pytest.mark.parametrize("x", ["iteration", "seconds"])
def test_figure_has_a_panel_for_each_signal_and_hop(curves, x):
    two = curves.assign(signal="again")
    figure = show_phase_study(pd.concat([curves, two]), x=x)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:2] == ["chirp, hop 1024", "again, hop 1024"]
    assert len(figure.axes[0].get_lines()) == len(CURVES)
