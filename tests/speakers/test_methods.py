"""Front ends and their kernels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle.speakers.methods import SPEAKER_METHODS, FrontEnd, get_method, similarity
from audiostyle.spectrogram import stft

SHORT = {"n_fft": 512, "hop_length": 256}


@pytest.fixture
def y(rng, vowel):
    return vowel(150, (500, 1500), rng, 0.5)


def test_paper_is_log1p(y):
    frames = FrontEnd()(y)
    assert frames.shape == (1025, 1 + len(y) // 1024)  # none is centred after the end
    np.testing.assert_array_equal(frames, torch.log1p(stft(y, cover=False).abs()))


def test_each_setting_of_a_front_end_does_what_it_says(y):
    X = FrontEnd(exponent=0.1, centre=True, unit=True)(y)
    np.testing.assert_allclose(X.norm(dim=0), 1, rtol=1e-5)
    np.testing.assert_allclose(X.mean(dim=0), 0, atol=1e-6)
    # 31.25 Hz a bin: 312.5 Hz is the tenth, 3375 Hz the 108th
    banded = FrontEnd(**SHORT, exponent=0.5, band=(300, 3400))(y)
    np.testing.assert_array_equal(banded, FrontEnd(**SHORT, exponent=0.5)(y)[10:109])
    power, floored = (FrontEnd(**SHORT, exponent=2.0, floor_db=db)(y) for db in (None, -20))
    np.testing.assert_allclose(floored, power + 0.01 * power.mean(), rtol=1e-4)
    fine, coarse = (FrontEnd(**SHORT, pool=pool)(y) for pool in (1, 4))
    np.testing.assert_allclose(coarse[:, 0], fine[:, :4].mean(1), rtol=1e-5)
    assert coarse.shape[1] == -(-fine.shape[1] // 4)


def test_level_does_not_matter_to_the_recommended_front_ends_and_silence_takes_no_part(y):
    part = np.zeros(8192, dtype=np.float32)
    part[:2000] = 0.1
    for front_end in SPEAKER_METHODS["best"].front_ends:
        # A power of two, so that no rounding differs before the exponent is applied.
        np.testing.assert_allclose(front_end(y), front_end(y / 128), atol=2e-6)
        X = front_end(part)
        assert torch.isfinite(X).all()
        assert X[:, -1].abs().max() == 0


def test_best_kernel_is_the_mean_of_cosines(voices):
    ys, best = voices(2).ys, SPEAKER_METHODS["best"].views[0]
    single = [similarity(ys, replace(best, front_ends=(end,))) for end in best.front_ends]
    both = similarity(ys, best)
    np.testing.assert_allclose(both, np.mean(single, axis=0))
    np.testing.assert_allclose(np.diag(both), 1)
    with pytest.raises(ValueError, match="cosine=True"):
        similarity(ys, replace(best, cosine=False))


def test_random_filters_tend_to_the_limit_and_repeat(voices, tmp_path):
    ys = voices(2, 0.7).ys
    exact = similarity(ys, "paper")
    few, many = (
        np.mean([np.abs(similarity(ys, f"paper-{n}", seed=seed) / exact - 1).mean() for seed in range(4)])
        for n in (64, 1024)
    )
    assert many < few / 2  # 1/√N gives 1/4
    plain = [similarity(ys, "paper-16", seed=s) for s in (0, 1)]
    assert not np.allclose(*plain, rtol=1e-3)
    for seed in (0, 1, 0, 1):  # made, then read from the cache
        np.testing.assert_array_equal(similarity(ys, "paper-16", seed=seed, cache=tmp_path), plain[seed])


def test_names():
    assert get_method("best-8") == replace(SPEAKER_METHODS["best"], width=8)
    for name in ("papr", "paper-many", "gmm"):
        with pytest.raises(ValueError, match=f"method='{name}'.* paper,"):
            get_method(name)
