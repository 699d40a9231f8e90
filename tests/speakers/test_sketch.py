import os
import shutil
import signal
import time
from functools import partial

import numpy as np
import pytest
import torch

from audiostyle.datasets.corpora import find_corpus, load_recordings, read_utterance
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.speakers import identify, sketch
from audiostyle.speakers.gram_distance import pairwise_gram_inner
from audiostyle.speakers.methods import get_method, similarity
from audiostyle.speakers.sketch import Sketcher, gram_sketch, sketch_corpus, sketch_utterances, workers

SKETCHER = Sketcher(get_method("best"), 8)


@pytest.fixture
def clips(rng):
    return [torch.tensor(rng.standard_normal((7, n)), dtype=torch.float32) for n in (5, 9)]


def inner(clips, n_pairs, seeds, **options):
    sketches = ([gram_sketch(X, n_pairs, seed=seed, **options) for X in clips] for seed in seeds)
    return np.array([float(torch.dot(*both)) for both in sketches])


class TestGramSketch:
    @pytest.mark.parametrize(("kernel_size", "activation"), [(1, "relu"), (3, "relu"), (1, "none")])
    def test_inner_product_is_unbiased_and_errs_less_with_more_pairs(self, clips, kernel_size, activation):
        encoder = InfiniteEncoder(kernel_size, activation=activation)
        n_patches = [encoder.n_patches(X.shape[1]) for X in clips]
        truth = float(encoder.gram_inner(*clips)) / np.prod(n_patches)
        options = {"kernel_size": kernel_size, "activation": activation}
        found = inner(clips, 16, range(400), **options)
        error = np.std(found, ddof=1) / len(found) ** 0.5
        assert error < 0.1 * abs(truth), "too wide to show anything"
        assert abs(np.mean(found) - truth) < 4 * error  # 1 in 16,000 would not by chance
        few, many = (np.mean((inner(clips, n, range(60), **options) - truth) ** 2) ** 0.5 for n in (64, 1024))
        # 16 times the pairs: a quarter. A ratio of two root mean squares of 60 errs by 1/√60 = 13 %; three of that.
        assert many / few < 0.25 * 1.4

    def test_filters_are_orthogonal_of_one_length_and_taken_with_all_signs(self, clips):
        filters = sketch.pair_filters(20, 5, 2, 0)
        for block in filters.reshape(4, 10, 10).double():
            np.testing.assert_allclose(block @ block.T, 10 * np.eye(10), atol=1e-5)
        first, second = (sketch.pair_filters(2, 7, 1, 0)[..., 0] @ clips[0]).chunk(2)
        signs = [(a, b) for a in (1, -1) for b in (1, -1)]
        by_hand = torch.cat([(torch.relu(a * first) * torch.relu(b * second)).mean(dim=1) for a, b in signs])
        np.testing.assert_allclose(gram_sketch(clips[0], 8, kernel_size=1), by_hand / 8**0.5, rtol=1e-5)

    def test_seeds_and_bad_input(self, clips):
        one, again, other = (gram_sketch(clips[0], 8, kernel_size=1, seed=s) for s in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert not np.allclose(one, other)
        for options, quoted in (({"n_pairs": 6}, "n_pairs=6"), ({"activation": "selu"}, "'selu'")):
            with pytest.raises(ValueError, match=quoted):
                gram_sketch(clips[0], **options)


class TestSketcher:
    def test_views_estimate_the_kernels(self, voices):
        items, method = voices(2), get_method("best")
        sketcher = Sketcher(method, 4096)
        rows = np.stack([sketcher(y) for y in items.ys])
        assert rows.shape == (6, 4 * 4096)
        assert rows.dtype == np.float16
        for view, Z in zip(method.views, sketcher.views(rows.astype(float)), strict=True):
            kernel = similarity(items.ys, view)
            np.testing.assert_allclose(np.diag(Z @ Z.T), 1, rtol=2**-11)
            # One pair of filters has a relative variance of at most E φ⁴ / (E φ²)² squared, 6² for a Gaussian and
            # half of it rectified; three deviations of 1/√4096 of that.
            assert np.abs(Z @ Z.T - kernel).max() < 3 * 6 / 4096**0.5
            assert np.corrcoef((Z @ Z.T).ravel(), kernel.ravel())[0, 1] > 0.95

        assert np.isfinite(Sketcher(get_method("paper"), 8)(np.ones(100, dtype=np.float32))).all()
        assert not SKETCHER(np.zeros(20000, dtype=np.float32)).any()


@pytest.fixture
def folder(talk, monkeypatch):
    monkeypatch.setattr(sketch, "CHUNK", 4)
    return talk


def utterances(folder):
    return [item for items in find_corpus(folder).utterances.values() for item in items]


def counted(seen, stop_at, item):
    if len(seen) == stop_at:
        raise KeyboardInterrupt
    seen.append(item)
    return read_utterance(item)


class TestCorpus:
    def test_parts_and_unreadable_files_are_those_of_the_recordings(self, folder):
        (folder / "bob" / "07.wav").write_bytes(b"no sound")
        part = {"speakers": ["ann", "bob"], "per_speaker": 4}
        with pytest.warns(UserWarning, match=r"skipped 1 files .*07.wav"):
            items = load_recordings(folder, **part)
        with pytest.warns(UserWarning, match=r"skipped 1 files .*07.wav"):
            found, rows, n_samples = sketch_corpus(folder, SKETCHER, **part)
        np.testing.assert_array_equal(rows, np.stack([SKETCHER(y) for y in items.ys]))
        assert found.paths == items.paths
        assert found.speakers.tolist() == items.speakers.tolist()
        assert n_samples.tolist() == [len(y) for y in items.ys]

    def test_a_stopped_run_goes_on_and_a_changed_file_is_sketched_again(self, folder, tmp_path):
        whole = sketch_corpus(folder, SKETCHER)[1]

        def run(stop_at=-1):
            seen = []
            read = partial(counted, seen, stop_at)
            found = sketch_utterances(utterances(folder), SKETCHER, read=read, cache=tmp_path / "c")
            return np.stack([row for row, _ in found]), len(seen)

        with pytest.raises(KeyboardInterrupt):
            run(10)  # two tasks of the first speaker are whole, and one of the second
        rows, n_read = run()
        np.testing.assert_array_equal(rows, whole)
        assert n_read == 18 - 10
        shutil.copy(folder / "bob" / "06.wav", folder / "ann" / "00.wav")
        rows, n_read = run()
        np.testing.assert_array_equal(rows[1:], whole[1:])
        np.testing.assert_array_equal(rows[0], whole[6])
        assert n_read == 4

    def test_memory_does_not_hold_the_sound(self, folder):
        """Of all utterances no more than a task is read before its rows come."""
        seen = []
        rows = sketch_utterances(utterances(folder), SKETCHER, read=partial(counted, seen, -1))
        for done, _ in enumerate(rows):
            assert len(seen) - done <= 4
        assert len(seen) == 18

    def test_processes_give_the_same(self, folder, clips):
        encoder = RandomEncoder(32, kernel_size=3)
        serial, kernel = sketch_corpus(folder, SKETCHER)[1], pairwise_gram_inner(encoder, clips)
        with workers(2):
            np.testing.assert_array_equal(sketch_corpus(folder, SKETCHER)[1], serial)
            spread = pairwise_gram_inner(encoder, clips)
        np.testing.assert_allclose(spread, kernel, rtol=1e-6)

    def test_cluster_gives_the_serial_rows_and_survives_a_kill(self, folder):
        """Two worker processes on this machine; one is killed after the first rows have come."""
        distributed = pytest.importorskip("distributed")
        serial = sketch_corpus(folder, SKETCHER)[1]
        options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
        with distributed.LocalCluster(**options) as cluster, workers(scheduler=cluster.scheduler_address):
            found = []
            for row, _ in sketch_utterances(utterances(folder), SKETCHER, read=slowly):
                if not found:
                    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
                found.append(row)
        np.testing.assert_array_equal(np.stack(found), serial)


def slowly(item):
    time.sleep(0.1)
    return read_utterance(item)


def test_what_cannot_be_identified_is_an_error_that_names_it(folder, tmp_path):
    items, rows, _ = sketch_corpus(folder, SKETCHER)
    for name, n, quoted in (("nothing.wav", 18, "nothing"), ("ann/00.wav", 6, "only ann")):
        with pytest.raises(ValueError, match=quoted):
            identify.identify(rows[:n], items.speakers[:n], SKETCHER, [folder / name])
    assert not identify.is_known(tmp_path / "known")
    identify.save_known(tmp_path / "known", rows, items.speakers, SKETCHER)
    np.testing.assert_array_equal(identify.load_known(tmp_path / "known", SKETCHER)[0], rows)
    with pytest.raises(ValueError, match="other settings"):
        identify.load_known(tmp_path / "known", Sketcher(get_method("best"), 16))
    (file,) = (tmp_path / "known").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        identify.load_known(tmp_path / "known", SKETCHER)
