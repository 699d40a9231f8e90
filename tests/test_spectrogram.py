import librosa
import numpy as np
import pytest
import torch

from audiostyle import spectrogram
from audiostyle.spectrogram import as_tensor, frequencies, istft, n_samples_for, stft
from tests.signals import SR, tone


@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 1024), (2048, 512), (512, 128)])
@pytest.mark.parametrize("n_samples", [9 * 1024, 9000])
def test_stft_equals_librosa_with_zeros_up_to_a_whole_number_of_hops(rng, n_fft, hop, n_samples):
    y = rng.normal(size=n_samples)
    covered = np.concatenate([y, np.zeros(-n_samples % hop)])
    for theirs, cover in ((covered, True), (y, False)):
        expected = librosa.stft(theirs, n_fft=n_fft, hop_length=hop, pad_mode="constant", dtype=np.complex128)
        ours = stft(y, n_fft=n_fft, hop_length=hop, cover=cover).numpy()
        assert ours.shape == expected.shape
        # n_fft additions of numbers of order 1, each rounded to 2⁻⁵³
        assert np.max(np.abs(ours - expected)) < n_fft * 2**-50


@pytest.mark.parametrize(("n_fft", "hop"), [(16, 8), (32, 8), (24, 10)])
def test_round_trip_at_every_length(rng, n_fft, hop):
    for n_samples in range(6 * hop, 7 * hop + 1):
        y = rng.normal(size=n_samples)
        D = stft(y, n_fft=n_fft, hop_length=hop)
        assert D.shape[1] == 1 + -(-n_samples // hop)
        assert np.max(np.abs(istft(D, hop_length=hop, length=n_samples).numpy() - y)) < 1e-13


def test_sound_fades_out_beyond_the_last_frame_and_is_silent_after_it():
    """Of a constant, window² over the least that windows of a hop of n_fft / 2 add up to, ½, is left."""
    D = stft(np.ones(64), n_fft=16, hop_length=8)
    y = istft(D[:, :7], hop_length=8, length=64).numpy()  # the last centre is sample 48
    window = np.cos(np.pi * np.arange(8) / 16) ** 2
    expected = np.concatenate([np.ones(48), np.minimum(1, 2 * window**2), np.zeros(8)])
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14)


def test_tone_lies_in_its_bin_on_the_axes():
    y = tone(440)
    S = stft(y).abs()
    assert torch.equal(spectrogram.log_magnitude(y), S.log1p())
    peak = int(S.mean(dim=1).argmax())
    assert peak == round(440 * 2048 / SR)
    assert frequencies()[peak] == pytest.approx(440, abs=SR / 2048 / 2)
    assert spectrogram.times(3, SR, 1024).tolist() == [0, 1024 / SR, 2048 / SR]
    for more, n_frames in ((0, 7), (1, 8)):
        assert stft(np.zeros(n_samples_for(7) + more)).shape == (1025, n_frames)


def test_a_tensor_stays_on_its_device_unless_another_is_named():
    """No machine without a GPU shows otherwise; a tensor without storage does."""
    assert as_tensor(torch.empty(4, device="meta")).device.type == "meta"
    assert as_tensor(np.zeros(4), device="meta").device.type == "meta"
    assert as_tensor(np.zeros(4, int)).dtype == torch.float32
