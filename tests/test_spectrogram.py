import librosa
import numpy as np
import pytest
import torch

from audiostyle.spectrogram import frequencies, istft, log_magnitude, n_samples_for, stft, times

SR = 22050


@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 1024), (2048, 512), (512, 128)])
def test_stft_equals_librosa(rng, n_fft, hop):
    y = rng.normal(size=9000)
    ours = stft(y, n_fft=n_fft, hop_length=hop).numpy()
    theirs = librosa.stft(y, n_fft=n_fft, hop_length=hop, pad_mode="constant", dtype=np.complex128)
    assert ours.shape == theirs.shape
    # n_fft additions of numbers of order 1, each rounded to 2⁻⁵³
    assert np.max(np.abs(ours - theirs)) < n_fft * 2**-50


@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 1024), (2048, 512), (2048, 256)])
@pytest.mark.parametrize("length", [8192, 9000, 9215])
def test_round_trip(rng, n_fft, hop, length):
    y = rng.normal(size=length)
    back = istft(stft(y, n_fft=n_fft, hop_length=hop), hop_length=hop, length=length).numpy()
    covered = (1 + length // hop - 1) * hop + n_fft // 2 - hop // 8  # the last window fades out here
    assert np.max(np.abs(back - y)[:covered]) < 1e-10


def test_istft_equals_librosa_on_a_spectrogram_of_no_signal(rng):
    D = rng.normal(size=(1025, 20)) + 1j * rng.normal(size=(1025, 20))
    D[[0, -1]] = D[[0, -1]].real
    length = 19 * 1024
    ours = istft(D, hop_length=1024, length=length).numpy()
    theirs = librosa.istft(D, hop_length=1024, length=length, dtype=np.float64)
    # librosa leaves out the frame beyond the end; it reaches half a window back
    assert np.max(np.abs(ours - theirs)[: length - 1024]) < 1e-10


def test_tone_lies_in_its_bin():
    y = np.sin(2 * np.pi * 440 * np.arange(SR) / SR)
    peak = int(stft(y).abs().mean(dim=1).argmax())
    assert peak == round(440 * 2048 / SR)
    assert frequencies()[peak] == pytest.approx(440, abs=SR / 2048 / 2)


def test_log_magnitude_is_log1p():
    y = np.sin(np.arange(4096, dtype=np.float32))
    assert torch.allclose(torch.expm1(log_magnitude(y)), stft(y).abs(), rtol=1e-5, atol=1e-5)
    assert float(log_magnitude(y).min()) >= 0


def test_axes():
    assert frequencies(SR, 2048)[[0, -1]].tolist() == [0, SR / 2]
    assert times(3, SR, 1024).tolist() == [0, 1024 / SR, 2048 / SR]
    assert stft(np.zeros(n_samples_for(7))).shape == (1025, 7)
