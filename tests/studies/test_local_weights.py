import numpy as np
import pytest
import torch

from audiostyle.spectrogram import istft, stft
from audiostyle.studies.local_weights import consistency_weights, weighted_neighbours
from audiostyle.studies.reconstruct import reconstruct_phase

STFT = {"n_fft": 256, "hop_length": 128}


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


def test_truncated_weights_keep_a_consistent_spectrogram_nearly(content):
    H = stft(content.astype(np.float64), **STFT)
    gap = {}
    for width in (1, 2, 8, 128):
        kept = weighted_neighbours(H, consistency_weights(256, 128, width, H.real), 128, with_centre=True)
        gap[width] = float((kept - H)[:, 2:-2].norm() / H[:, 2:-2].norm())
    assert gap[1] > gap[2] > gap[8] > gap[128]
    assert gap[128] < 1e-13


def test_local_weights_approach_griffin_lim(content):
    S = stft(content, n_fft=512, hop_length=128).abs().numpy()
    options = {"n_iter": 40, "hop_length": 128, "return_convergence": True}
    _, local = reconstruct_phase(S, method="local_weights", **options)
    _, exact = reconstruct_phase(S, method="griffin_lim", **options)
    assert local[0] == exact[0]
    assert local[-1] < local[0] - 10
    assert abs(local[-1] - exact[-1]) < 3


def test_a_bin_follows_its_neighbours_alone_unless_its_own_term_is_asked_for(rng):
    H = torch.as_tensor(rng.normal(size=(9, 20)) + 1j * rng.normal(size=(9, 20)))
    weights = consistency_weights(16, 4, 2, H.real)
    without, with_own = (weighted_neighbours(H, weights, 4, with_centre=own) for own in (False, True))
    assert torch.allclose(with_own - without, weights[3, 2] * H, rtol=0, atol=1e-13)
