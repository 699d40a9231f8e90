"""What is written out because librosa's import takes longer equals librosa's."""

import subprocess
import sys

import librosa
import numpy as np
import pytest
import torch

from audiostyle.matching.describe import SR, _age, _rise, mel_filters


@pytest.mark.parametrize("n_frames", [3, 9, 500])
def test_filters_and_onsets_are_librosas(rng, n_frames):
    mel = mel_filters(torch.device("cpu"), 160)
    S = torch.as_tensor(rng.gamma(0.3, size=(1025, n_frames)), dtype=torch.float32)
    assert np.allclose(mel, librosa.filters.mel(sr=SR, n_fft=2048, n_mels=160), atol=1e-8)
    levels = (mel @ S.square() + 3e-4).log().numpy()
    rise = librosa.onset.onset_strength(S=levels, sr=SR, lag=2, max_size=3, center=False)
    assert np.allclose(_rise(S), rise, atol=1e-5)
    spans = {"pre_max": 3, "post_max": 3, "pre_avg": 8, "post_avg": 8, "wait": 4}
    peaks = librosa.util.peak_pick(rise.astype(float), delta=0.12 * np.percentile(rise, 99), **spans)
    assert n_frames < 500 or len(peaks) > 20
    assert np.flatnonzero(np.isclose(_age(torch.as_tensor(rise)).exp(), 2)).tolist() == peaks.tolist()


def test_neither_transfers_nor_sketches_compile():
    """Processes side by side would spoil numba's cache (`audiostyle.system.compile_librosa`)."""
    code = """import sys, audiostyle, numpy as np; from audiostyle.speakers import table
table.score_methods(table.paths.registry_dir() / "mini_corpus", ["best"], sketch_from=1, speakers=2, per_speaker=4)
y = np.random.default_rng(0).normal(size=(2, 2, 48000))
for settings in ({}, {"balance": 0.8, "n_iter": 2}, {"method": "gram", "n_iter": 2}):
    audiostyle.transfer_style(*y, 48000, audiostyle.TransferConfig(**settings), progress=False)
sys.exit("numba" in sys.modules)"""
    subprocess.run([sys.executable, "-c", code], check=True)
