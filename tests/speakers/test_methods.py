from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle.speakers.methods import SPEAKER_METHODS, FrontEnd, SpeakerMethod, similarity
from audiostyle.spectrogram import stft


class TestFrontEnd:
    def test_paper_is_log1p(self, rng, vowel):
        y = vowel(150, (500, 1500), rng, 0.5)
        frames = FrontEnd()(y)
        assert frames.shape == (1025, 1 + len(y) // 1024)  # none is centred after the end
        np.testing.assert_array_equal(frames, torch.log1p(stft(y, cover=False).abs()))

    def test_unit_and_centred_frames(self, rng, vowel):
        X = FrontEnd(exponent=0.1, centre=True, unit=True)(vowel(150, (500, 1500), rng, 0.5))
        np.testing.assert_allclose(X.norm(dim=0), 1, rtol=1e-5)
        np.testing.assert_allclose(X.mean(dim=0), 0, atol=1e-6)

    def test_level_does_not_matter_to_the_recommended_front_ends(self, rng, vowel):
        y = vowel(150, (500, 1500), rng, 0.5)
        for front_end in SPEAKER_METHODS["best"].front_ends:
            # A power of two, so that no rounding differs before the exponent is applied.
            np.testing.assert_allclose(front_end(y), front_end(y / 128), atol=2e-6)

    def test_silence_takes_no_part(self):
        y = np.zeros(8192, dtype=np.float32)
        y[:2000] = 0.1
        for front_end in SPEAKER_METHODS["best"].front_ends:
            X = front_end(y)
            assert torch.isfinite(X).all()
            assert X[:, -1].abs().max() == 0

    def test_band_keeps_the_bins_within(self, rng, vowel):
        y = vowel(150, (500, 1500), rng, 0.3)
        X = FrontEnd(n_fft=512, hop_length=256, exponent=0.5, band=(300, 3400))(y)
        # 31.25 Hz a bin: 312.5 Hz is the tenth, 3375 Hz the 108th
        np.testing.assert_array_equal(X, FrontEnd(n_fft=512, hop_length=256, exponent=0.5)(y)[10:109])

    def test_floor_lies_below_the_mean_power(self, rng, vowel):
        y = vowel(150, (500, 1500), rng, 0.3)
        power = FrontEnd(n_fft=512, hop_length=256, exponent=2.0)(y)
        floored = FrontEnd(n_fft=512, hop_length=256, exponent=2.0, floor_db=-20)(y)
        np.testing.assert_allclose(floored, power + 0.01 * power.mean(), rtol=1e-4)

    def test_pooling_averages_frames(self, rng, vowel):
        y = vowel(150, (500, 1500), rng, 0.3)
        fine, coarse = FrontEnd(n_fft=512, hop_length=256), FrontEnd(n_fft=512, hop_length=256, pool=4)
        np.testing.assert_allclose(coarse(y)[:, 0], fine(y)[:, :4].mean(1), rtol=1e-5)
        assert coarse(y).shape[1] == -(-fine(y).shape[1] // 4)

    def test_best_kernel_is_the_mean_of_cosines(self, voices):
        items = voices(2)
        both, *single = (
            similarity(items, replace(SPEAKER_METHODS["best"], front_ends=ends))
            for ends in (
                SPEAKER_METHODS["best"].front_ends,
                *((end,) for end in SPEAKER_METHODS["best"].front_ends),
            )
        )
        np.testing.assert_allclose(both, (single[0] + single[1]) / 2)
        np.testing.assert_allclose(np.diag(both), 1)
        two = SpeakerMethod(front_ends=(FrontEnd(), FrontEnd(n_fft=512)))
        with pytest.raises(ValueError, match="cosine=True"):
            similarity(items, two)
