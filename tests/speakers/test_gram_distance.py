"""Blocks of many clips against one pair at a time, and against explicit Gram matrices."""

import numpy as np
import pytest
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.speakers import gram_distance
from audiostyle.speakers.gram_distance import pairwise_gram_inner


@pytest.fixture
def clips(rng):
    lengths = (11, 12, 30, 17, 40)
    return [torch.tensor(rng.gamma(1.0, 1.0, (7, n)), dtype=torch.float32) for n in lengths]


def one_by_one(encoder, clips):
    n = np.array([encoder.n_patches(clip.shape[1]) for clip in clips])
    return np.array([[float(encoder.gram_inner(a, b)) for b in clips] for a in clips]) / n / n[:, None]


@pytest.mark.parametrize("kernel_size", [1, 4, 11])
@pytest.mark.parametrize("group", [8, 40, 512])
def test_equals_pair_by_pair(clips, kernel_size, group, monkeypatch):
    # Groups of 8 patches cut clips into pieces, groups of 512 hold them all.
    monkeypatch.setattr(gram_distance, "GROUP_PATCHES", group)
    encoder = InfiniteEncoder(kernel_size)
    found = pairwise_gram_inner(encoder, clips)
    np.testing.assert_allclose(found, one_by_one(encoder, clips), rtol=2e-5)
    values = np.linalg.eigvalsh(found)
    assert values.min() > -1e-6 * values.max()


@pytest.mark.parametrize("band_bytes", [1, 2**14, 2**28])
def test_random_encoder_in_bands(clips, band_bytes, monkeypatch):
    monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
    monkeypatch.setattr(gram_distance, "BAND_BYTES", band_bytes)
    encoder = RandomEncoder(64, kernel_size=5)
    np.testing.assert_allclose(pairwise_gram_inner(encoder, clips), one_by_one(encoder, clips), rtol=2e-5)


def test_distance_equals_explicit_gram_matrices(clips):
    """To 1e-4 relative to ‖G‖², here with all 4096 × 4096 entries."""
    encoder, clips = RandomEncoder(4096, kernel_size=11), clips[1:4]
    inner = pairwise_gram_inner(encoder, clips)
    found = np.diag(inner) + np.diag(inner)[:, None] - 2 * inner
    grams = [encoder.gram_matrix(c) / (4096 * encoder.n_patches(c.shape[1])) for c in clips]
    explicit = np.array([[float((a - b).square().sum(dtype=torch.float64)) for b in grams] for a in grams])
    size = max(float(g.square().sum(dtype=torch.float64)) for g in grams)
    assert explicit.max() > 0.01 * size
    np.testing.assert_allclose(found, explicit, atol=1e-4 * size)


def test_a_stopped_run_goes_on_and_other_settings_and_clips_are_computed(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
    encoder, calls = InfiniteEncoder(1), []
    kernel, stop = encoder.kernel, 9

    def counted(X, Y):
        calls.append(1)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return kernel(X, Y)

    encoder.kernel = counted
    with pytest.raises(KeyboardInterrupt):
        pairwise_gram_inner(encoder, clips, cache=tmp_path, settings="one")
    assert list(tmp_path.glob("*.npz"))

    def run(clips, settings="one"):
        calls.clear()
        return pairwise_gram_inner(encoder, clips, cache=tmp_path, settings=settings), len(calls)

    stop = 10**6
    first, needed = run(clips)
    again, none = run(clips)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(first, one_by_one(InfiniteEncoder(1), clips), rtol=2e-5)
    assert 0 == none < needed < run(clips, "two")[1]
    changed = [clip + (i == 4) for i, clip in enumerate(clips)]
    np.testing.assert_allclose(run(changed)[0], one_by_one(InfiniteEncoder(1), changed), rtol=2e-5)


@pytest.mark.parametrize(("n", "message"), [(0, "one clip"), (5, "kernel_size=12")])
def test_bad_input(clips, n, message):
    with pytest.raises(ValueError, match=message):
        pairwise_gram_inner(InfiniteEncoder(12), clips[:n])
