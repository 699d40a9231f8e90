"""Phase methods beside Griffin-Lim: closed forms, and the comparison says what the methods themselves say."""

import numpy as np
import pandas as pd
import pytest
import torch

from audiostyle.phase.griffin_lim import phase_of, spectral_convergence
from audiostyle.spectrogram import istft, magnitudes, stft
from experiments.phase import (
    CURVES,
    at_iteration,
    consistency_weights,
    convergence_curves,
    phase_gradient,
    phase_gradient_heap,
    reconstruct_phase,
    show_phase_study,
    weighted_neighbours,
)

SR, HOP = 22050, 32
STFT = {"n_fft": 256, "hop_length": 128}


def test_phase_gradient_of_a_tone_and_of_a_click_under_a_gaussian_window():
    """Closed forms: the phase of a tone turns by its frequency in every bin, that of a click by its delay."""
    n_fft, hop = 512, 64
    spread = 0.25645 * n_fft**2  # the window exp(−π t² / spread)
    bins, frames = np.arange(63.0, 78.0)[:, None], np.arange(9.0)
    f0, t0 = 70.3 / n_fft, 250.0
    S = np.zeros((n_fft // 2 + 1, 9))
    S[63:78] = np.exp(-np.pi * spread * (bins / n_fft - f0) ** 2) * np.ones(9)
    along_time, _ = phase_gradient(S, hop)
    assert np.allclose(along_time[64:77], 2 * np.pi * hop * f0, rtol=1e-9)
    click = np.exp(-np.pi * (frames * hop - t0) ** 2 / spread) * np.ones((n_fft // 2 + 1, 1))
    _, along_frequency = phase_gradient(click, hop)
    turns = -2 * np.pi * (t0 - frames[1:-1] * hop) / n_fft - np.pi
    assert np.allclose(along_frequency[:, 1:-1], turns, rtol=1e-9)


def test_heap_rebuilds_a_chirp_without_iterating():
    t = np.arange(SR) / SR
    y = np.sin(2 * np.pi * (300 * t + 1500 * t**2))
    S = stft(y, n_fft=1024, hop_length=128).abs().numpy()
    options = {"n_iter": 0, "hop_length": 128, "length": len(y)}
    found = {
        init: spectral_convergence(S, reconstruct_phase(S, init=init, **options), hop_length=128)
        for init in ("pghi", "random")
    }
    assert found["pghi"] < -25
    assert found["random"] > -10


def test_heap_gives_quiet_bins_a_random_phase_from_the_seed_at_any_level(content):
    S = stft(content.astype(np.float64), **STFT).abs().numpy()
    S[100:] = 1e-7 * S.max()
    first, again, other = (phase_gradient_heap(S, 128, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[100:], other[100:])
    # some thousand turns are added up, each from logarithms rounded to 2⁻⁵³ of their size
    assert np.allclose(phase_gradient_heap(1e-9 * S, 128), first, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("n_fft", "hop"), [(16, 8), (16, 4), (32, 4)])
def test_all_local_weights_make_the_exact_projection(rng, n_fft, hop):
    H = rng.normal(size=(n_fft // 2 + 1, 30)) + 1j * rng.normal(size=(n_fft // 2 + 1, 30))
    H[[0, -1]] = H[[0, -1]].real
    H = torch.as_tensor(H)
    weights = consistency_weights(n_fft, hop, n_fft // 2, H.real)
    ours = weighted_neighbours(H, weights, hop, with_centre=True)
    exact = stft(istft(H, hop_length=hop, length=29 * hop), n_fft=n_fft, hop_length=hop)
    inner = slice(n_fft // hop, -n_fft // hop)
    assert torch.allclose(ours[:, inner], exact[:, inner], rtol=0, atol=1e-13)
    without = weighted_neighbours(H, weights, hop)
    own = weights[n_fft // hop - 1, n_fft // 2]
    assert torch.allclose(ours - without, own * H, rtol=0, atol=1e-13)


def test_local_weights_approach_griffin_lim(content):
    S = stft(content, n_fft=512, hop_length=128).abs().numpy()
    options = {"n_iter": 40, "hop_length": 128, "return_convergence": True}
    _, local = reconstruct_phase(S, method="local_weights", **options)
    _, exact = reconstruct_phase(S, method="griffin_lim", **options)
    assert local[0] == exact[0]
    assert local[-1] < local[0] - 10
    assert abs(local[-1] - exact[-1]) < 3


@pytest.fixture(scope="module")
def sound():
    t = np.arange(SR) / SR
    return (0.1 * np.sin(2 * np.pi * 300 * t * (1 + t))).astype(np.float32)


@pytest.fixture(scope="module")
def curves(sound):
    options = {"hop_length": 1024, "length": SR, "n_iter": 3, "content_phase": phase_of(sound)}
    return convergence_curves(magnitudes(sound), **options).assign(signal="chirp", hop=1024)


def test_curves_are_those_of_the_methods(curves, sound):
    assert curves["method"].unique().tolist() == list(CURVES)
    S = magnitudes(sound)
    for name, curve in curves.groupby("method"):
        assert curve["iteration"].tolist() == [0, 1, 2, 3]
        assert curve["seconds"].is_monotonic_increasing
        method, init = CURVES[name]
        start = phase_of(sound) if init == "content" else init
        y = reconstruct_phase(S, method=method, init=start, n_iter=3, length=SR)
        if init != "content":  # which is at the rounding
            last = curve["spectral_convergence_db"].iloc[-1]
            assert last == pytest.approx(spectral_convergence(S, y), abs=1e-3)
    true_phase = curves[curves["method"].str.contains("content") & (curves["iteration"] == 0)]
    assert true_phase["spectral_convergence_db"].item() < -80


def test_table_and_figure_have_all_methods(curves):
    table = at_iteration(curves, 3)
    assert table.columns.tolist() == ["dB at hop 1024", "s at hop 1024"]
    assert table.index.get_level_values("method").tolist() == list(CURVES)
    figure = show_phase_study(pd.concat([curves, curves.assign(signal="again")]), x="seconds")
    assert [ax.get_title() for ax in figure.axes][:2] == ["chirp, hop 1024", "again, hop 1024"]
    assert len(figure.axes[0].get_lines()) == len(CURVES)
