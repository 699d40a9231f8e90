import warnings

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
    n = [encoder.n_patches(clip.shape[1]) for clip in clips]
    return np.array(
        [
            [float(encoder.gram_inner(a, b)) / n[i] / n[j] for j, b in enumerate(clips)]
            for i, a in enumerate(clips)
        ]
    )


class TestPairwiseGramInner:
    @pytest.mark.parametrize("kernel_size", [1, 4, 11])
    @pytest.mark.parametrize("group", [8, 40, 512])
    def test_equals_pair_by_pair(self, clips, kernel_size, group, monkeypatch):
        # Groups of 8 patches cut clips into pieces, groups of 512 hold them all.
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", group)
        encoder = InfiniteEncoder(kernel_size)
        np.testing.assert_allclose(pairwise_gram_inner(encoder, clips), one_by_one(encoder, clips), rtol=2e-5)

    @pytest.mark.parametrize("band_bytes", [1, 2**20, 2**28])
    def test_random_encoder_in_bands(self, clips, band_bytes, monkeypatch):
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
        monkeypatch.setattr(gram_distance, "BAND_BYTES", band_bytes)
        encoder = RandomEncoder(64, kernel_size=5)
        np.testing.assert_allclose(pairwise_gram_inner(encoder, clips), one_by_one(encoder, clips), rtol=2e-5)

    def test_distance_equals_explicit_gram_matrices(self, clips):
        """Issue: to 1e-4 relative to ‖G‖², here with all 4096 × 4096 entries."""
        encoder = RandomEncoder(4096, kernel_size=11)
        clips = clips[1:4]
        inner = pairwise_gram_inner(encoder, clips)
        found = np.diag(inner) + np.diag(inner)[:, None] - 2 * inner
        grams = [encoder.gram_matrix(c) / (4096 * encoder.n_patches(c.shape[1])) for c in clips]
        explicit = np.array(
            [[float((a - b).square().sum(dtype=torch.float64)) for b in grams] for a in grams]
        )
        size = max(float(g.square().sum(dtype=torch.float64)) for g in grams)
        assert explicit.max() > 0.01 * size
        np.testing.assert_allclose(found, explicit, atol=1e-4 * size)

    def test_is_positive_semi_definite(self, clips):
        values = np.linalg.eigvalsh(pairwise_gram_inner(InfiniteEncoder(3), clips))
        assert values.min() > -1e-6 * values.max()

    def test_stopped_run_continues_from_the_blocks_on_disk(self, clips, tmp_path, monkeypatch):
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
        encoder, options = InfiniteEncoder(1), {"cache": tmp_path, "settings": "one"}
        whole = gram_distance._block
        calls = []

        def stop_after_three(*args):
            calls.append(args)
            if len(calls) > 9:
                raise KeyboardInterrupt
            return whole(*args)

        monkeypatch.setattr(gram_distance, "_block", stop_after_three)
        with pytest.raises(KeyboardInterrupt):
            pairwise_gram_inner(encoder, clips, **options)
        stored = len(list(tmp_path.glob("*.npy")))
        assert stored > 0
        monkeypatch.setattr(gram_distance, "_block", lambda *args: calls.append(args) or whole(*args))
        calls.clear()
        first = pairwise_gram_inner(encoder, clips, **options)
        needed = len(calls)
        calls.clear()
        np.testing.assert_array_equal(pairwise_gram_inner(encoder, clips, **options), first)
        assert calls == []
        pairwise_gram_inner(encoder, clips, cache=tmp_path, settings="two")
        assert 0 < needed < len(calls)
        np.testing.assert_allclose(first, one_by_one(encoder, clips), rtol=2e-5)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: data[:-8],
            lambda data: b"",
            lambda data: data.replace(b"'descr': '", b"'descr': (("),
            lambda data: data.replace(b"'<f8'", b"'<i8'"),
            lambda data: data.replace(b"'shape': (", b"'shape': (9999999999999"),
            lambda data: b"PK\x03\x04" + data[4:],
            lambda data: data[:-8] + np.float64(np.nan).tobytes(),
            lambda data: data[:-8] + np.float64(-np.inf).tobytes(),
        ],
    )
    def test_damaged_block_is_made_again_and_named(self, clips, tmp_path, damage):
        encoder = InfiniteEncoder(1)
        first = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        (file,) = tmp_path.glob("*.npy")
        whole = file.read_bytes()
        assert damage(whole) != whole
        file.write_bytes(damage(whole))
        with pytest.warns(UserWarning, match=f"1 stored blocks .* made again: {file.name}"):
            again = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        np.testing.assert_array_equal(again, first)
        assert file.read_bytes() == whole

    def test_random_damage_to_a_header_is_never_an_error(self, clips, tmp_path, rng):
        encoder = InfiniteEncoder(1)
        first = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        (file,) = tmp_path.glob("*.npy")
        whole = file.read_bytes()
        for _ in range(200):
            data = bytearray(whole)
            for _ in range(rng.integers(1, 4)):
                data[rng.integers(80)] = rng.integers(256)
            file.write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again = pairwise_gram_inner(encoder, clips, cache=tmp_path)
            np.testing.assert_array_equal(again, first)

    def test_content_names_the_blocks(self, clips, tmp_path):
        encoder = InfiniteEncoder(1)
        pairwise_gram_inner(encoder, clips, cache=tmp_path)
        changed = [clip + (i == 4) for i, clip in enumerate(clips)]
        np.testing.assert_allclose(
            pairwise_gram_inner(encoder, changed, cache=tmp_path), one_by_one(encoder, changed), rtol=2e-5
        )

    def test_processes_give_the_same(self, clips, monkeypatch):
        encoder = RandomEncoder(32, kernel_size=3)
        np.testing.assert_allclose(
            pairwise_gram_inner(encoder, clips, n_jobs=2), pairwise_gram_inner(encoder, clips), rtol=1e-6
        )

    def test_bad_input(self, clips):
        with pytest.raises(ValueError, match="at least one clip"):
            pairwise_gram_inner(InfiniteEncoder(1), [])
        with pytest.raises(ValueError, match="fewer than one patch"):
            pairwise_gram_inner(InfiniteEncoder(12), clips)
