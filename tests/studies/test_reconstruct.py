import librosa
import numpy as np
import pytest
import torch

from audiostyle.phase.griffin_lim import phase_of, spectral_convergence
from audiostyle.spectrogram import overlap_add, stft
from audiostyle.studies.reconstruct import METHODS, reconstruct_phase

STFT = {"n_fft": 256, "hop_length": 128}


def test_overlap_add_by_blocks_equals_sample_by_sample(rng):
    frames = rng.normal(size=(7, 12))
    for hop in (3, 4, 5, 6, 12):
        expected = np.zeros(12 + hop * 6)
        for i, frame in enumerate(frames):
            expected[i * hop : i * hop + 12] += frame
        assert np.allclose(overlap_add(torch.as_tensor(frames), hop).numpy(), expected, rtol=0, atol=1e-14)


def test_true_phase_needs_no_iteration(content):
    S = stft(content).abs().numpy()
    y = reconstruct_phase(S, method="initial", init=phase_of(content), length=len(content))
    assert np.max(np.abs(y - content)) < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("init", ["zero", "random", "pghi"])
def test_every_method_keeps_the_length_and_is_deterministic(content, method, init):
    S = stft(content[:5001], **STFT).abs().numpy()
    options = {"method": method, "init": init, "hop_length": 128, "length": 5001, "n_iter": 2}
    y = reconstruct_phase(S, **options)
    assert y.shape == (5001,)
    assert np.array_equal(y, reconstruct_phase(S, **options))


def test_fast_griffin_lim_is_librosas(content):
    S = stft(content).abs().numpy()
    ours = reconstruct_phase(S, method="fast_griffin_lim", init="zero", n_iter=20)
    theirs = librosa.griffinlim(S, n_iter=20, hop_length=1024, n_fft=2048, momentum=0.99, init=None)
    ours, theirs = (spectral_convergence(S, y) for y in (ours, theirs))
    assert ours == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "wavenet"}, "method='wavenet'"),
        ({"init": "content"}, "init='content'"),
        ({"method": "local_weights", "hop_length": 100}, "hop_length=100 must divide"),
        ({"method": "local_weights", "hop_length": 64, "width": 4000}, "width=4000"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        reconstruct_phase(np.ones((129, 9)), **options)
