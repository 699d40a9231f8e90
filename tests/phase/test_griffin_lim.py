import librosa
import numpy as np
import pytest

from audiostyle.phase.griffin_lim import griffin_lim, spectral_convergence
from audiostyle.spectrogram import stft


@pytest.fixture
def S(content):
    return stft(content.astype(np.float64)).abs().numpy()


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 1024), (2048, 512), (1024, 256)])
def test_equals_librosa(content, momentum, n_fft, hop):
    S = stft(content.astype(np.float64), n_fft=n_fft, hop_length=hop).abs().numpy()
    length = (S.shape[1] - 1) * hop
    n_iter = 20
    ours = griffin_lim(S, n_iter=n_iter, hop_length=hop, momentum=momentum, init="zero", length=length)
    theirs = librosa.griffinlim(
        S, n_iter=n_iter, hop_length=hop, momentum=momentum, init=None, length=length, dtype=np.float64
    )
    # Each iteration rounds to 2⁻⁵³ in n_fft sums; taking the phase of a bin divides by its magnitude, which
    # enlarges the rounding of bins 100 dB under the peak by 10⁵ and leaves it in bins that hold no energy.
    assert np.max(np.abs(ours - theirs)) < n_iter * n_fft * 2**-53 * 1e5 * np.max(np.abs(theirs))


def test_convergence_falls_with_every_iteration(S):
    """Griffin & Lim 1984: the distance to the magnitudes never grows. True for the projections at full length."""
    y, decibels = griffin_lim(S, n_iter=30, return_convergence=True)
    assert len(decibels) == 31
    assert np.all(np.diff(decibels) < 1e-9)
    assert decibels[-1] < decibels[0] - 6
    assert decibels[-1] == pytest.approx(spectral_convergence(S, y), abs=1e-6)


def test_true_phase_returns_the_signal(content):
    y = content[: 7 * 1024].astype(np.float64)
    D = stft(y)
    again = griffin_lim(D.abs().numpy(), n_iter=3, init=D.angle().numpy(), length=len(y))
    assert again == pytest.approx(y, abs=1e-9)
    assert spectral_convergence(D.abs().numpy(), y) < -200


def test_convergence_by_hand(content):
    S = stft(content).abs().numpy()
    n = (S.shape[1] - 1) * 1024
    assert spectral_convergence(S, np.zeros(n, dtype=np.float32)) == pytest.approx(0, abs=1e-6)
    S = stft(content[:n]).abs().numpy()
    # half the amplitude leaves half of ‖S‖
    assert spectral_convergence(S, 0.5 * content[:n]) == pytest.approx(20 * np.log10(0.5), abs=1e-4)


def test_seed_fixes_the_phase(S):
    assert np.array_equal(griffin_lim(S, n_iter=2, seed=5), griffin_lim(S, n_iter=2, seed=5))
    assert not np.array_equal(griffin_lim(S, n_iter=2, seed=5), griffin_lim(S, n_iter=2, seed=6))


@pytest.mark.parametrize(
    ("S", "options", "message"),
    [
        (np.ones(5), {}, "shape"),
        (-np.ones((5, 4)), {}, "non-negative"),
        (np.full((5, 4), np.nan), {}, "finite"),
        (np.ones((5, 4)), {"momentum": 1.0}, r"momentum=1\.0"),
        (np.ones((5, 4)), {"n_iter": -1}, "n_iter=-1"),
        (np.ones((5, 4)), {"init": "magic"}, "init='magic'"),
        (np.ones((5, 4)), {"init": np.zeros((4, 4))}, r"\(4, 4\)"),
    ],
)
def test_bad_input_is_named(S, options, message):
    with pytest.raises(ValueError, match=message):
        griffin_lim(S, **({"hop_length": 4} | options))
