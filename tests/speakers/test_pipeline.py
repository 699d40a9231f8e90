"""Sketches of corpora on disk: found again, continued after a stop, the same however the work is spread."""

import functools
import os
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from audiostyle.datasets.corpora import SAMPLE_RATE, find_corpus, load_recordings, read_utterance
from audiostyle.speakers import pipeline, table
from audiostyle.speakers.identify import identify
from audiostyle.speakers.methods import SPEAKER_METHODS
from audiostyle.speakers.pipeline import sketch_corpus, sketch_utterances, stored_corpus
from audiostyle.speakers.sketch import Sketcher
from audiostyle.speakers.store import Entry, SketchStore
from audiostyle.speakers.table import speaker_table

SKETCHER = Sketcher(SPEAKER_METHODS["best"], 8)


@pytest.fixture
def folder(tmp_path, voices):
    """Six utterances of three voices as files."""
    items = voices(6, 0.5)
    for i, (speaker, y) in enumerate(zip(items.speakers, items.ys, strict=True)):
        (tmp_path / "talk" / speaker).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "talk" / speaker / f"{i:02d}.wav", y, SAMPLE_RATE)
    return tmp_path / "talk"


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK", 4)


def utterances(folder):
    return [item for items in find_corpus(folder).utterances.values() for item in items]


def entry(i):
    return Entry("ann", "", f"{i}.wav", "1-2", 16000)


class TestStore:
    def test_rows_and_entries_are_found_again(self, tmp_path, rng):
        rows = rng.standard_normal((5, SKETCHER.width)).astype(SKETCHER.dtype)
        store = SketchStore(tmp_path / "s", SKETCHER)
        store.append([entry(0), entry(1)], rows[:2])
        store.append([entry(i) for i in (2, 3, 4)], rows[2:])
        for opened in (store, SketchStore(tmp_path / "s", SKETCHER)):
            np.testing.assert_array_equal(opened.rows(), rows)
            assert opened.entries == [entry(i) for i in range(5)]
            assert opened.find("3.wav", "1-2") == 3
            assert opened.find("3.wav", "1-3") is None, "the file was changed"
            assert opened.find("5.wav", "1-2") is None
        np.testing.assert_array_equal(np.load(tmp_path / "s" / "sketches.npy"), rows)

    def test_a_changed_file_has_its_last_row(self, tmp_path, rng):
        rows = rng.standard_normal((2, SKETCHER.width)).astype(SKETCHER.dtype)
        store = SketchStore(tmp_path, SKETCHER)
        store.append([entry(0)], rows[:1])
        store.append([replace(entry(0), stamp="new")], rows[1:])
        assert SketchStore(tmp_path, SKETCHER).find("0.wav", "new") == 1

    @pytest.mark.parametrize(
        ("lost", "kept"),
        [("half a line", 2), ("a row without its line", 2), ("half a row", 1), ("a line without its row", 1)],
    )
    def test_what_a_kill_left_is_dropped(self, tmp_path, rng, lost, kept):
        rows = rng.standard_normal((2, SKETCHER.width)).astype(SKETCHER.dtype)
        SketchStore(tmp_path, SKETCHER).append([entry(0), entry(1)], rows)
        index, array = tmp_path / "index.csv", tmp_path / "sketches.npy"
        if lost == "half a line":
            index.write_text(index.read_text() + "ann,,2.w")
        elif lost == "a row without its line":
            array.write_bytes(array.read_bytes() + rows[:1].tobytes())
        else:
            array.write_bytes(array.read_bytes()[: -2 if lost == "half a row" else -2 * SKETCHER.width])
        store = SketchStore(tmp_path, SKETCHER)
        assert len(store) == kept
        np.testing.assert_array_equal(store.rows(), rows[:kept])
        store.append([entry(7)], rows[:1])
        assert [e.path for e in SketchStore(tmp_path, SKETCHER).entries][-1] == "7.wav"
        np.testing.assert_array_equal(np.load(array), np.concatenate([rows[:kept], rows[:1]]))

    def test_names_with_commas_and_ends_of_line(self, tmp_path):
        odd = replace(entry(0), path='a, "b"\nc.wav')
        SketchStore(tmp_path, SKETCHER).append([odd], np.zeros((1, SKETCHER.width)))
        assert SketchStore(tmp_path, SKETCHER).entries == [odd]

    def test_other_settings_or_other_numbers_are_refused(self, tmp_path, monkeypatch):
        SketchStore(tmp_path, SKETCHER)
        SketchStore(tmp_path, replace(SKETCHER, device="cpu:0"))
        with pytest.raises(ValueError, match="other settings; name another folder"):
            SketchStore(tmp_path, replace(SKETCHER, seed=1))
        monkeypatch.setattr(Sketcher, "__call__", lambda self, y: np.ones(self.width, dtype=self.dtype))
        with pytest.raises(ValueError, match="makes otherwise"):
            SketchStore(tmp_path, SKETCHER)

    def test_the_header_holds_any_number_of_rows(self, tmp_path):
        store = SketchStore(tmp_path, SKETCHER)
        assert len(store._header(0)) == len(store._header(10**12))

    def test_rows_of_any_norm_are_kept_in_single_precision(self, tmp_path, rng):
        sketcher = Sketcher(SPEAKER_METHODS["paper"], 8)
        rows = 1e5 * rng.standard_normal((2, sketcher.width)).astype(np.float32)
        SketchStore(tmp_path, sketcher).append([entry(0), entry(1)], rows)
        np.testing.assert_array_equal(SketchStore(tmp_path, sketcher).rows(), rows)

    def test_sketches_of_another_precision_are_refused(self, tmp_path, monkeypatch):
        SketchStore(tmp_path, SKETCHER)
        monkeypatch.setattr(Sketcher, "dtype", np.dtype(np.float32))
        with pytest.raises(ValueError, match="other settings"):
            SketchStore(tmp_path, SKETCHER)


class TestSketchCorpus:
    def test_equals_the_recordings_in_memory(self, folder):
        items = load_recordings(folder)
        found = sketch_corpus(folder, SKETCHER)
        np.testing.assert_array_equal(found.rows, np.stack([SKETCHER(y) for y in items.ys]))
        assert found.name == items.name
        assert found.speakers.tolist() == items.speakers.tolist()
        assert found.texts == items.texts
        np.testing.assert_array_equal(found.n_samples, items.n_samples)
        np.testing.assert_array_equal(found.seconds(), items.seconds())

    def test_parts_and_unreadable_files_are_those_of_the_recordings(self, folder):
        (folder / "bob" / "07.wav").write_bytes(b"no sound")
        part = {"speakers": ["ann", "bob"], "per_speaker": 4}
        with pytest.warns(UserWarning, match="skipped 1 files"):
            items = load_recordings(folder, **part)
        with pytest.warns(UserWarning, match=r"talk: skipped 1 files .*07.wav"):
            found = sketch_corpus(folder, SKETCHER, **part)
        np.testing.assert_array_equal(found.rows, np.stack([SKETCHER(y) for y in items.ys]))
        assert found.skipped == items.skipped
        part["per_speaker"] = 6
        with (
            pytest.warns(UserWarning, match="skipped"),
            pytest.raises(ValueError, match=r"6 or more utterances, and there are ann: 6, bob: 5"),
        ):
            sketch_corpus(folder, SKETCHER, **part)

    def test_a_stopped_run_goes_on_and_nothing_is_done_twice(self, folder, tmp_path, monkeypatch):
        whole = sketch_corpus(folder, SKETCHER).rows
        read, seen = pipeline.read_utterance, []

        def stopping(item):
            if len(seen) == 10:
                raise KeyboardInterrupt
            seen.append(item)
            return read(item)

        store = SketchStore(tmp_path / "s", SKETCHER)
        with pytest.raises(KeyboardInterrupt):
            sketch_utterances(utterances(folder), store, read=stopping)
        assert len(SketchStore(tmp_path / "s", SKETCHER)) == 8, "two whole chunks of four"
        seen.clear()
        store = SketchStore(tmp_path / "s", SKETCHER)
        assert (
            sketch_utterances(utterances(folder), store, read=lambda item: seen.append(item) or read(item))
            == []
        )
        assert len(seen) == 10
        np.testing.assert_array_equal(store.rows(), whole)
        np.testing.assert_array_equal(sketch_corpus(folder, SKETCHER, store=tmp_path / "s").rows, whole)
        part = sketch_corpus(folder, SKETCHER, store=tmp_path / "s", speakers=["bob", "cyd"])
        np.testing.assert_array_equal(part.rows, whole[6:])

    def test_a_changed_file_is_sketched_again(self, folder, tmp_path):
        first = sketch_corpus(folder, SKETCHER, store=tmp_path / "s").rows.copy()
        shutil.copy(folder / "bob" / "06.wav", folder / "ann" / "00.wav")
        again = sketch_corpus(folder, SKETCHER, store=tmp_path / "s").rows
        np.testing.assert_array_equal(again[1:], first[1:])
        np.testing.assert_array_equal(again[0], first[6])

    def test_processes_give_the_same_rows(self, folder):
        serial, spread = (sketch_corpus(folder, SKETCHER, n_jobs=n).rows for n in (1, 2))
        np.testing.assert_array_equal(spread, serial)

    def test_memory_does_not_hold_the_sound(self, folder, tmp_path):
        """Of all utterances no more than a chunk is read before its rows are stored."""
        store, ahead = SketchStore(tmp_path / "s", SKETCHER), []

        def counting(item):
            ahead.append(1 + len(ahead) - len(store))
            return pipeline.read_utterance(item)

        sketch_utterances(utterances(folder), store, read=counting)
        assert len(ahead) == 18
        assert max(ahead) <= 8, "a chunk, and the one that joblib fetches meanwhile"


class TestTable:
    def test_large_corpora_are_sketched_and_named_as_by_the_kernel(self, folder, monkeypatch):
        options = {"progress": False, "cache": False, "methods": ("nearest", "best")}
        exact = speaker_table(folder, exact=True, **options)
        assert set(exact["encoder"]) == {"infinite"}
        assert speaker_table(folder, **options)["n_correct"].tolist() == exact["n_correct"].tolist()
        monkeypatch.setattr(table, "SKETCH_FROM", 18)
        found = speaker_table(folder, **options)
        assert set(found["encoder"]) == {"sketch-2048"}
        assert found.drop(columns=["encoder", "seconds"]).equals(exact.drop(columns=["encoder", "seconds"]))
        assert set(speaker_table(folder, exact=True, **options)["encoder"]) == {"infinite"}
        monkeypatch.setattr(table, "load_recordings", None)  # a streamed corpus is never held
        assert speaker_table(folder, n_pairs=64, **options)["encoder"].tolist() == ["sketch-64"] * 4

    def test_baselines_beside_sketches(self, folder, monkeypatch):
        monkeypatch.setattr(table, "SKETCH_FROM", 18)
        found = speaker_table(folder, progress=False, cache=False, methods=("best", "mfcc", "chance"))
        assert found["encoder"].tolist() == ["sketch-2048"] * 2 + [None] * 4
        assert found["accuracy"].tolist()[:2] == [1, 1]

    def test_sketches_are_kept_in_the_cache(self, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(table, "SKETCH_FROM", 18)
        options = {"progress": False, "methods": ("best",), "cache": tmp_path / "c", "n_pairs": 8}
        first = speaker_table(folder, **options)
        (array,) = (tmp_path / "c").rglob("sketches.npy")
        assert np.load(array).shape == (18, 32)
        monkeypatch.setattr(pipeline, "sketch_chunk", None)
        assert speaker_table(folder, **options).drop(columns="seconds").equals(first.drop(columns="seconds"))


class TestIdentify:
    def test_new_utterances_are_named_from_a_store_alone(self, folder, tmp_path):
        new = tmp_path / "new"
        new.mkdir()
        for speaker, i in (("ann", "05"), ("cyd", "17")):
            shutil.move(folder / speaker / f"{i}.wav", new / f"{i}.wav")
        sketcher = Sketcher(SPEAKER_METHODS["best"], 256)
        sketch_corpus(folder, sketcher, store=tmp_path / "s")
        shutil.rmtree(folder)
        known = stored_corpus(SketchStore(tmp_path / "s", sketcher))
        found = identify(known, sketcher, [new / "05.wav", new / "17.wav"])
        assert found["speaker"].tolist() == ["ann", "cyd"]
        assert (found["rarity"] >= 1).all()

    def test_what_cannot_be_read_is_an_error_that_names_it(self, folder, tmp_path):
        with pytest.raises(ValueError, match=r"nothing.wav cannot be read"):
            identify(sketch_corpus(folder, SKETCHER), SKETCHER, [folder / "nothing.wav"])
        nobody = stored_corpus(SketchStore(tmp_path / "empty", SKETCHER))
        with pytest.raises(ValueError, match="empty holds no sketches"):
            identify(nobody, SKETCHER, [folder / "ann" / "00.wav"])
        alone = sketch_corpus(folder, SKETCHER, speakers=["ann", "bob"])
        alone = replace(alone, speakers=alone.speakers[:6], rows=alone.rows[:6])
        with pytest.raises(ValueError, match="holds only ann"):
            identify(alone, SKETCHER, [folder / "ann" / "00.wav"])

    def test_of_a_changed_file_the_last_sketch_counts(self, folder, tmp_path):
        sketch_corpus(folder, SKETCHER, store=tmp_path / "s")
        shutil.copy(folder / "bob" / "07.wav", folder / "ann" / "00.wav")
        again = sketch_corpus(folder, SKETCHER, store=tmp_path / "s")
        store = SketchStore(tmp_path / "s", SKETCHER)
        assert len(store) == len(again) + 1
        found = stored_corpus(store)
        assert len(found) == len(again)
        assert sorted(map(bytes, found.rows)) == sorted(map(bytes, again.rows))
        assert sorted(found.speakers) == sorted(again.speakers)


def slowly(item):
    time.sleep(0.1)
    return read_utterance(item)


def tell_who_compiles(folder):
    (folder / str(os.getpid())).touch()


def test_cluster_gives_the_serial_rows_and_survives_a_kill(folder, tmp_path, monkeypatch):
    """Two worker processes on this machine; one is killed after the first rows have come."""
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    monkeypatch.setattr(
        "audiostyle.speakers.pipeline.compile_librosa", functools.partial(tell_who_compiles, compiled)
    )
    distributed = pytest.importorskip("distributed")
    serial = sketch_corpus(folder, SKETCHER).rows
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        np.testing.assert_array_equal(sketch_corpus(folder, SKETCHER, scheduler=address).rows, serial)
        assert len(list(compiled.iterdir())) == 2
        store, append = SketchStore(tmp_path / "s", SKETCHER), SketchStore.append
        killed = []

        def kill_one(*args):
            append(store, *args)
            if not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        store.append = kill_one
        sketch_utterances(utterances(folder), store, read=slowly, scheduler=address)
        assert killed
        np.testing.assert_array_equal(store.rows(), serial)
