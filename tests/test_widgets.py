"""The widgets without a browser: set values in Python, read what is displayed."""

import errno
import io
import json
import math
import os
import re
import shlex
import threading
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from audiostyle import clips, live, paths, recipe
from audiostyle.__main__ import build_parser
from audiostyle.abx import AbxPanel, AbxTest
from audiostyle.audio import load_audio, rms, set_level
from audiostyle.clips import get_pair
from audiostyle.config import TransferConfig, get_preset
from audiostyle.corpora import Recordings
from audiostyle.frontend import Form, button, slider
from audiostyle.jobs import Latest, Ticket
from audiostyle.lab import StyleLab
from audiostyle.live import add_numbers, fill_grid, load_stored, method_config, render, store
from audiostyle.pairs import run_pair, write_runs
from audiostyle.player import Slot, SyncPlayer, flac_bytes, png_bytes
from audiostyle.results import Results
from audiostyle.source import MAX_MEGABYTES, SoundSource
from audiostyle.widgets import PairExplorer, SpeakerExplorer

SR = 22050
WAIT = 120
SMOKE = get_preset("smoke")


def samples(player, name):
    """What a slot would play."""
    return soundfile.read(io.BytesIO(player.slot(name)["audio"]), dtype="float32")[0]


# The player


def test_png_has_the_colours_of_the_map_and_its_first_row_at_the_bottom():
    values = np.linspace(-80, 0, 12).reshape(3, 4)
    decoded = imread(io.BytesIO(png_bytes(values, -80, 0, "magma")))
    expected = matplotlib.colormaps["magma"](np.round((values[::-1] + 80) / 80 * 255).astype(int))[..., :3]
    # Half a step of 8 bits, by rounding.
    np.testing.assert_allclose(decoded[..., :3], expected, atol=0.5 / 255 + 1e-6)


def test_flac_loses_nothing_but_the_16th_bit(content):
    decoded, sr = soundfile.read(io.BytesIO(flac_bytes(content, SR)), dtype="float32")
    assert sr == SR
    assert len(decoded) == len(content)
    np.testing.assert_allclose(decoded, content, atol=1 / 2**15)


def test_player_shows_and_plays_what_it_is_given(content, style):
    player = SyncPlayer("Test", [Slot("a", "A"), Slot("b", "B")])
    player.show("a", content, SR, note="first")
    slot = player.slot("a")
    heard = samples(player, "a")
    np.testing.assert_allclose(heard / np.abs(heard).max(), content / np.abs(content).max(), atol=2e-4)
    assert slot["rms"] == pytest.approx(rms(heard), rel=1e-3)
    assert slot["duration"] == pytest.approx(len(content) / SR)
    assert "A".lower() in slot["alt"]
    assert player.slot("b") == {}
    before = slot["image"]
    player.show("a", style, SR)
    assert player.slot("a")["image"] != before


def test_difference_of_a_sound_with_itself_is_the_middle_colour(content):
    player = SyncPlayer("Test", [Slot("d", "D", listen=False)])
    player.show_difference("d", content, content, SR)
    image = imread(io.BytesIO(player.slot("d")["image"]))
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) == 1
    assert "audio" not in player.slot("d")
    player.show_difference("d", content, 4 * content, SR)
    louder = imread(io.BytesIO(player.slot("d")["image"]))
    assert not np.array_equal(image, louder)


def test_difference_picture_has_the_colour_of_the_louder_sound(content):
    """The end of the scale that the page names for it, and as far along as 12 dB of 30 are."""
    player = SyncPlayer("Test", [Slot("d", "D", listen=False)])
    scale = player.scales[-1]
    assert scale["low"].startswith("content louder")
    assert scale["high"].startswith("result louder")
    colours = matplotlib.colormaps["PuOr_r"](np.arange(256))[:, :3]
    for name, end in (("low", 0), ("high", -1)):
        assert scale["colours"][end] == matplotlib.colors.to_hex(colours[end]), name
    for gain, expected in ((4, 12.04), (0.25, -12.04)):
        player.show_difference("d", content, gain * content, SR)
        image = imread(io.BytesIO(player.slot("d")["image"]))[..., :3].reshape(-1, 1, 3)
        shown = np.abs(image - colours).sum(axis=-1).argmin(axis=1) / 255 * 60 - 30
        # quiet bins are drawn towards the middle, by the floor 60 dB under the peak
        extreme = shown.max() if expected > 0 else shown.min()
        assert extreme == pytest.approx(expected, abs=60 / 255)
        assert (np.sign(expected) * shown >= -60 / 255).all()


def test_player_refuses_five_slots():
    with pytest.raises(ValueError, match="1 to 4 slots, not 5"):
        SyncPlayer("Test", [Slot(str(i), str(i)) for i in range(5)])


def test_picture_keeps_the_loudest_bin_at_the_top_of_the_scale():
    """Of two bins that share a row, and of frames that share a column, the louder one is shown."""
    top, bottom = (matplotlib.colormaps["magma"](i)[:3] for i in (255, 0))
    player = SyncPlayer("Test", [Slot("a", "A")])
    for k in (101, 102):
        t = np.arange(60 * SR)
        y = 0.1 * np.sin(2 * np.pi * k / 2048 * t) * (t // 1024 == 700)  # one short beep in a minute
        player.show("a", y + 1e-9, SR)
        image = imread(io.BytesIO(player.slot("a")["image"]))[..., :3]
        assert image.shape[1] <= 1000
        at_top = np.argwhere(np.abs(image - top).max(axis=-1) < 1 / 255)
        # the first row of the picture is the top of the axis
        assert {len(image) - 1 - row for row, _ in at_top} == {k // 2}
        assert np.abs(image[:, 0] - bottom).max() < 1 / 255


# Work in the background


def test_latest_task_wins_and_older_ones_are_told():
    entered, release, done = threading.Event(), threading.Event(), []
    jobs = Latest(done.append)

    def first(ticket):
        entered.set()
        release.wait(WAIT)
        done.append(("first", ticket.superseded))

    jobs.submit(first)
    assert entered.wait(WAIT)
    jobs.submit(lambda _: done.append("never"))
    jobs.submit(lambda ticket: done.append(("last", ticket.ending)))
    release.set()
    assert jobs.wait(WAIT)
    assert done == [("first", True), ("last", False)]


def test_stop_is_not_superseding_and_errors_are_reported():
    entered, seen, errors = threading.Event(), [], []
    jobs = Latest(errors.append)

    def task(ticket):
        entered.set()
        while not ticket.ending:
            pass
        seen.append((ticket.stopped, ticket.superseded))
        raise ValueError("broken")

    jobs.submit(task)
    assert entered.wait(WAIT)
    jobs.stop()
    assert jobs.wait(WAIT)
    assert seen == [(True, False)]
    assert [str(e) for e in errors] == ["broken"]
    assert not jobs.busy


def test_error_of_a_task_that_was_superseded_is_not_shown():
    entered, release, errors = threading.Event(), threading.Event(), []
    jobs = Latest(errors.append)

    def first(_ticket):
        entered.set()
        release.wait(WAIT)
        raise ValueError("of a sound that nobody asks for any more")

    jobs.submit(first)
    assert entered.wait(WAIT)
    jobs.submit(lambda _: None)
    release.set()
    assert jobs.wait(WAIT)
    assert errors == []


# The blind test


@pytest.mark.parametrize(("n_right", "n"), [(10, 10), (9, 10), (5, 10), (0, 10), (3, 5)])
def test_p_value_is_the_upper_tail_of_the_binomial(n_right, n):
    test = AbxTest(n, seed=1)
    for i in range(n):
        test.answer(test.x if i < n_right else "AB"[test.x == "A"])
    assert test.n_right == n_right
    assert test.p_value == pytest.approx(sum(math.comb(n, k) for k in range(n_right, n + 1)) / 2**n)


def test_abx_refuses_what_would_spoil_it():
    test = AbxTest(2, seed=0)
    with pytest.raises(ValueError, match="2 of 2 trials are left"):
        _ = test.p_value
    with pytest.raises(ValueError, match="choice='x'"):
        test.answer("x")
    test.answer("A")
    test.answer("A")
    with pytest.raises(ValueError, match="all 2 trials"):
        test.answer("A")
    with pytest.raises(ValueError, match="n_trials=0"):
        AbxTest(0)


def test_abx_draws_both_sounds():
    drawn = [AbxTest(50, seed=s).x for s in range(40)]
    assert {"A", "B"} == set(drawn)


def test_abx_panel_plays_x_and_keeps_answers(content, style):
    sounds = {"one": (content, SR), "two": (style, SR)}
    names = [("one", "first"), ("two", "second")]
    panel = AbxPanel(sounds.__getitem__, names, Results("smoke", "bundled"), seed=3)
    panel.answer("A")  # nothing has begun
    for _ in range(2):
        panel.form.update(n_trials=5)
        panel.begin()
        while panel.test is not None:
            x = panel.test.x
            played = samples(panel.player, "x")
            np.testing.assert_array_equal(played, samples(panel.player, x.lower()))
            panel.form.press("is_a" if x == "A" else "is_b")
    assert "5 of 5 right, p = 0.0312" in panel.form.status
    kept = Results("smoke", "bundled").load_table("abx")
    assert kept["test"].tolist() == [1] * 5 + [2] * 5
    assert kept["right"].all()
    assert kept["p_value"].to_numpy() == pytest.approx(1 / 32, rel=1e-4)
    panel.form.update(b="one")
    panel.begin()
    assert panel.test is None
    assert panel.form.status_kind == "error"


# The pair explorer


@pytest.fixture(scope="module")
def no_phase():
    """Spare the time that the phase takes; the sound is poor and the magnitudes are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(live.QUICK_PHASE, "griffin_lim_iter", 2)
        yield


@pytest.fixture
def explorer(no_phase):
    made = PairExplorer(SMOKE, "bundled")
    assert made.wait(WAIT)
    return made


def test_explorer_finds_what_the_notebooks_of_the_pairs_ran(explorer):
    pair = get_pair("instrument-2", "bundled")
    run = run_pair(pair, SMOKE, progress=False)
    write_runs([run], Results("smoke", "bundled"))
    explorer.select(pair=pair.pair, method="random", balance=SMOKE.config.balance)
    assert explorer.wait(WAIT)
    assert explorer.shown.stored
    assert explorer.form.status.startswith("Stored result: 256 random filters")
    assert explorer.shown.numbers["style_share_limit"] < 1
    # as kept in 16 bits
    np.testing.assert_allclose(explorer.shown.y, run.result.y, atol=1 / 2**15)


def test_explorer_opens_with_sound_picture_and_numbers(explorer):
    for name in ("content", "style", "result"):
        assert len(samples(explorer.player, name)) == 3 * SR
    assert explorer.player.slot("difference")["image"]
    assert explorer.form.status_kind == "info"
    assert "–" not in explorer.numbers.value
    assert (
        f"{explorer._computed[next(iter(explorer._computed))].numbers['style_share_limit']:.3f}"
        in explorer.numbers.value
    )


def test_balance_changes_result_and_nothing_else(explorer):
    before = {name: explorer.player.slot(name) for name in ("content", "style", "result", "difference")}
    explorer.select(balance=0.95)
    assert explorer.wait(WAIT)
    for name in ("content", "style"):
        assert explorer.player.slot(name) == before[name]
    for key in ("image", "audio"):
        assert explorer.player.slot("result")[key] != before["result"][key]
    assert explorer.player.slot("difference")["image"] != before["difference"]["image"]
    assert explorer.shown.config.balance == 0.95


def test_pair_changes_everything(explorer):
    before = {name: explorer.player.slot(name) for name in ("content", "style", "result")}
    explorer.select(pair="speech-2")
    assert explorer.wait(WAIT)
    for name, old in before.items():
        assert explorer.player.slot(name)["audio"] != old["audio"]
        assert explorer.player.slot(name)["image"] != old["image"]


def test_more_balance_is_more_style(no_phase):
    pair = get_pair("instrument-1", "bundled")
    shares = [
        fill_grid(pair, SMOKE, [b], methods=("infinite",))["infinite", b].numbers["style_share_limit"]
        for b in (0.3, 0.9)
    ]
    assert 1 > shares[0] > shares[1]


def test_explorer_reads_what_is_stored_and_says_what_is_not(explorer, content):
    explorer.select(method="random", balance=0.4)
    assert explorer.wait(WAIT)
    assert "256 filters at balance 0.40 are not stored" in explorer.form.status
    assert explorer.shown.config.encoder == "infinite"
    pair, config = explorer.pair, method_config("random", 0.4, SMOKE)
    marked = np.resize(content, 3 * SR)
    store(
        pair, SMOKE.duration, live.Rendered(marked, SR, config, {"style_share_limit": 0.123, "seconds": 1.0})
    )
    explorer.select(balance=0.5)
    explorer.select(balance=0.4)
    assert explorer.wait(WAIT)
    assert explorer.form.status.startswith("Stored result: 256 random filters")
    assert "0.123" in explorer.numbers.value
    np.testing.assert_allclose(explorer.shown.y, marked, atol=1 / 2**15)


def test_stored_result_is_not_found_for_other_settings(no_phase, content):
    pair, config = get_pair("instrument-1", "bundled"), method_config("infinite", 0.5, SMOKE)
    store(pair, 3.0, live.Rendered(content, SR, config, {}))
    assert load_stored(pair, 3.0, config) is not None
    assert load_stored(pair, 4.0, config) is None
    assert load_stored(pair, 3.0, replace(config, kernel_size=5)) is None
    assert load_stored(get_pair("instrument-2", "bundled"), 3.0, config) is None
    random = method_config("random", 0.5, SMOKE)
    store(pair, 3.0, live.Rendered(content, SR, random, {}))
    assert load_stored(pair, 3.0, random) is not None
    assert load_stored(pair, 3.0, replace(random, seed=random.seed + 1)) is None
    assert load_stored(pair, 3.0, replace(random, n_filters=8)) is None


def test_explorer_refuses_unknown_values_and_stays(explorer):
    before = dict(explorer.form.values)
    for wrong, message in (
        ({"pair": "opera"}, "pair='opera'"),
        ({"balance": 1.5}, "balance=1.5"),
        ({"method": "vgg"}, "method='vgg'"),
        ({"volume": 1}, "no control 'volume'"),
        ({"balance": 0.2, "pair": "opera"}, "pair='opera'"),
    ):
        with pytest.raises(ValueError, match=message):
            explorer.select(**wrong)
        assert explorer.form.values == before


def test_explorer_blind_test_uses_its_sounds(explorer):
    explorer.abx.form.update(a="content", b="infinite", n_trials=5)
    explorer.abx.begin()
    # Both are scaled to one peak, from two levels: they may differ by a step of 16 bits.
    heard = [samples(p, n) for p, n in ((explorer.abx.player, "a"), (explorer.player, "content"))]
    np.testing.assert_allclose(*heard, atol=1.01 / 2**15)
    explorer.select(pair="symphonic-1")
    assert explorer.wait(WAIT)
    assert explorer.abx.test is None
    explorer.abx.form.update(a="random")
    explorer.abx.begin()
    assert explorer.abx.form.status_kind == "error"
    assert "not stored" in explorer.abx.form.status


# Sources


@pytest.fixture
def source():
    return SoundSource("Content", "violin_canon")


def upload(source, path, *, name=None, piece=20_000):
    """Send a file as the page does: announce it, then a piece whenever one is asked for."""
    data = path.read_bytes()
    source._on_message(
        source, {"type": "upload", "id": "u", "name": name or path.name, "size": len(data)}, []
    )
    for start in range(0, len(data), piece):
        source._on_message(source, {"type": "piece", "id": "u"}, [memoryview(data[start : start + piece])])
    assert source.wait(WAIT)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 48000, 2), ("flac", 8000, 1), ("ogg", 44100, 2), ("mp3", 22050, 1)],
)
def test_upload_in_any_format_rate_and_channels(source, tmp_path, content, suffix, rate, channels):
    path = tmp_path / f"mine.{suffix}"
    y = np.stack([np.resize(content, 2 * rate)] * channels, axis=1)
    soundfile.write(path, y, rate)
    upload(source, path)
    assert source.status_kind == "info", source.status
    assert source.sound.name == path.name
    assert source.duration == pytest.approx(2, abs=0.1)
    assert [source.clip, f"{path.name} (yours)"] in source.clips
    loaded, sr = source.load()
    assert sr == SR
    assert len(loaded) / sr == pytest.approx(2, abs=0.1)


def broken_files(folder, content):
    good = folder / "good.wav"
    soundfile.write(good, content, SR)
    files = {
        "text.wav": (b"this is no sound", "not a sound file"),
        "empty.wav": (b"", "empty"),
        "short.wav": (None, "at least 0.6 s"),
        "cut.wav": (good.read_bytes()[: 44 + 60_000], "cut short"),
        "notes.txt": (b"notes", "WAV, FLAC, OGG or MP3"),
    }
    for name, (data, message) in files.items():
        path = folder / name
        if data is None:
            soundfile.write(path, content[:1000], SR)
        else:
            path.write_bytes(data)
        yield path, message


def test_bad_upload_gives_a_message_in_place_and_breaks_nothing(source, tmp_path, content):
    before, version = source.load()[0], source.version
    for path, message in broken_files(tmp_path, content):
        upload(source, path)
        assert source.status_kind == "error", path.name
        assert path.name in source.status
        assert message in source.status
        assert "violin_canon.ogg stays in use" in source.status
        assert source.clip == "violin_canon"
        assert source.version == version
        np.testing.assert_array_equal(source.load()[0], before)


def test_too_large_an_upload_is_refused_before_it_is_sent(source):
    sent = []
    source.send = lambda content, buffers=None: sent.append(content)
    size = int((MAX_MEGABYTES + 1) * 1e6)
    source._on_message(source, {"type": "upload", "id": "u", "name": "big.wav", "size": size}, [])
    assert sent == [{"type": "next", "id": "u", "done": True}]
    assert f"at most {MAX_MEGABYTES} MB" in source.status


def test_upload_cannot_leave_its_folder(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    upload(source, path, name="../../../escaped.wav")
    assert source.sound.name == "escaped.wav"
    assert source.sound.path.resolve() == source.sound.path
    assert source.sound.path.is_relative_to(source._folder.name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("..", "cannot be read"),
        ("", "file without a name cannot be read"),
        ("a\0b.wav", "a?b.wav is not a name that a file can have"),
        ("\ud800.wav", "is not a name that a file can have"),
        ("n" * 300 + ".wav", "is not a name that a file can have"),
        ("é" * 126 + ".wav", "is not a name that a file can have"),
    ],
)
def test_upload_whose_name_is_none_gives_a_message_in_place(source, content, name, message):
    sent = []
    source.send = lambda content, buffers=None: sent.append(content)
    source._on_message(source, {"type": "upload", "id": "u", "name": name, "size": 100}, [])
    assert source.status_kind == "error"
    assert message in source.status
    assert len(source.status.encode()) < 250
    assert source.clip == "violin_canon"
    assert sent == [{"type": "next", "id": "u", "done": True}]


@pytest.mark.parametrize("size", ["many", -1, None, 1.5])
def test_upload_whose_size_is_none_gives_a_message_in_place(source, size):
    source._on_message(source, {"type": "upload", "id": "u", "name": "a.wav", "size": size}, [])
    assert source.status_kind == "error"
    assert f"a.wav has a size of {size!r} bytes" in source.status


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_upload_that_cannot_be_kept_gives_a_message_in_place(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    source._on_message(source, {"type": "upload", "id": "u", "name": path.name, "size": 100}, [])
    source._on_message(source, {"type": "piece", "id": "u"}, [memoryview(bytes(101))])
    assert source.status_kind == "error"
    assert "mine.wav is longer than the 100 bytes announced" in source.status
    source._on_message(source, {"type": "upload", "id": "v", "name": path.name, "size": 100}, [])
    source._upload["file"].close()
    source._upload["file"] = FullDisk()
    source._on_message(source, {"type": "piece", "id": "v"}, [memoryview(bytes(100))])
    assert source.status_kind == "error"
    assert "No space left" in source.status
    upload(source, path)
    assert source.sound.name == "mine.wav"


def test_pipe_is_refused_and_the_next_sound_opens(source, tmp_path, content):
    os.mkfifo(tmp_path / "pipe.wav")
    source._on_message(source, {"type": "path", "path": str(tmp_path / "pipe.wav")}, [])
    assert source.wait(WAIT), "the pipe was opened"
    assert "pipe.wav is a pipe" in source.status
    soundfile.write(tmp_path / "mine.wav", content, SR)
    source._on_message(source, {"type": "path", "path": str(tmp_path / "mine.wav")}, [])
    assert source.wait(WAIT)
    assert source.sound.name == "mine.wav"


@pytest.mark.parametrize("path", ["", "a\0b.wav", "n" * 304, "~nobody-here/a.wav"])
def test_path_that_is_none_gives_a_message_in_place(source, path):
    source._on_message(source, {"type": "path", "path": path}, [])
    assert source.wait(WAIT)
    assert source.status_kind == "error"
    assert source.clip == "violin_canon"


def test_path_on_this_computer(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    source._on_message(source, {"type": "path", "path": str(path)}, [])
    assert source.wait(WAIT)
    assert source.sound.path == path
    source._on_message(source, {"type": "path", "path": str(tmp_path / "none.wav")}, [])
    assert source.wait(WAIT)
    assert "none.wav does not exist" in source.status.lower()
    assert source.sound.path == path


def test_cut_stays_inside_the_sound_and_is_what_is_loaded(source):
    whole, _ = source.load()
    source.length = 2.0
    source.start = 100.0
    assert source.start + source.length == pytest.approx(source.duration, abs=1e-3)
    source.start = 4.0
    cut, sr = source.load()
    assert len(cut) == 2 * sr
    np.testing.assert_allclose(cut, whole[4 * sr : 6 * sr], atol=1e-6)
    source.length = 0.0
    assert source.length == pytest.approx(0.6)


@pytest.fixture
def usable_part(monkeypatch):
    """A registry in which 4 s of a clip are usable, from 1.5 s on."""
    rows = {name: clip for name, clip in clips._registry().items() if clip.edition == "bundled"}
    rows["violin_canon"] = replace(rows["violin_canon"], start_s=1.5, duration_s=4.0)
    whole, _ = load_audio(clips.locate(rows["violin_canon"]))
    monkeypatch.setattr(clips, "_registry", lambda: rows)
    return whole


def test_only_the_usable_part_of_a_clip_is_offered(usable_part):
    source = SoundSource("Content", "violin_canon")
    assert source.duration == pytest.approx(4, abs=1e-3)
    source.length, source.start = 2.0, 100.0
    assert source.start == pytest.approx(2.0, abs=1e-3)
    source.start = 1.0
    y, sr = source.load()
    np.testing.assert_allclose(y, usable_part[round(2.5 * sr) : round(4.5 * sr)], atol=1e-6)


def test_lab_says_where_in_the_file_a_cut_of_the_usable_part_lies(usable_part):
    lab = StyleLab()
    lab.content.length, lab.content.start = 2.0, 1.0
    cut = lab.recipe().content
    assert (cut.start, cut.duration) == (2.5, 2.0)
    heard, _ = lab.content.load()
    kept, _ = load_audio(paths.root() / cut.path, start=cut.start, duration=cut.duration)
    np.testing.assert_array_equal(kept, heard)
    assert lab.wait(WAIT)


def test_waveform_outline_bounds_the_samples(source):
    peaks = np.frombuffer(source.peaks, np.float32).reshape(-1, 2)
    y, _ = source.load()
    assert 500 <= len(peaks) <= 600
    assert peaks[:, 0].min() == pytest.approx(y.min(), abs=1e-4)
    assert peaks[:, 1].max() == pytest.approx(y.max(), abs=1e-4)


# The style lab


@pytest.fixture
def lab(tmp_path, content, style):
    made = StyleLab(tmp_path / "saved")
    for name, y in (("content", content), ("style", style)):
        soundfile.write(tmp_path / f"{name}.wav", y, SR)
    made.select(
        content=str(tmp_path / "content.wav"), style=str(tmp_path / "style.wav"), n_iter=5, phase="quick",
        kernel_size=3,
    )  # fmt: skip
    assert made.wait(WAIT)
    return made


def test_lab_runs_and_keeps_the_previous_result(lab, content):
    assert lab.player.slot("result") == {}
    lab.run()
    assert lab.wait(WAIT)
    assert lab.settings.status.startswith("Done"), lab.settings.status
    assert lab.settings.status.endswith("The sound has the content's loudness.")
    assert "stop" in lab.settings.disabled
    first = lab.player.slot("result")
    assert len(samples(lab.player, "result")) == len(content)
    lab.select(balance=0.9)
    lab.settings.press("run")
    assert lab.wait(WAIT)
    assert lab.player.slot("previous")["audio"] == first["audio"]
    assert lab.player.slot("result")["audio"] != first["audio"]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in lab.numbers.value.split("</tr>")]
    assert rows[0][1:] == ["result", "previous result"]
    shares = [f"{run[1].numbers['style_share_limit']:.3f}" for run in (lab.result, lab.previous)]
    assert rows[1][1:] == shares
    assert shares[0] != shares[1]


def test_lab_preview_is_three_seconds_of_the_content(lab):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=300, balance=0.9)
    lab.style.length = 6.0
    lab.settings.press("preview")
    assert lab.wait(WAIT)
    assert lab.result[0].style.duration == 6.0
    np.testing.assert_array_equal(lab.result[0].run().y, lab.result[1].y)
    assert len(samples(lab.player, "result")) == 3 * SR
    assert lab.result[0].content.duration == 3.0
    assert lab.result[0].config.n_iter == 60


def test_result_is_of_what_was_chosen_when_run_was_pressed(lab, monkeypatch):
    waiting = []
    monkeypatch.setattr(lab._runs, "submit", waiting.append)
    lab.content.length = 1.2
    lab.run()
    lab.content.length, lab.content.start, lab.style.start = 0.8, 0.5, 0.4
    lab.select(balance=0.9)
    waiting[0](Ticket())
    made, rendered = lab.result
    assert (made.content.start, made.content.duration, made.style.start) == (0, 1.2, 0)
    assert made.config.balance == 0.5
    assert len(rendered.y) == round(1.2 * SR)
    np.testing.assert_array_equal(made.run().y, rendered.y)


@pytest.mark.parametrize("phase", ["quick", "polish"])
def test_stop_keeps_the_best_so_far_and_can_be_made_again(lab, phase):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, phase=phase, balance=0.97)
    seen = threading.Event()
    lab.settings.observe(lambda change: "Iteration" in change["new"] and seen.set(), "status")
    lab.run()
    assert seen.wait(WAIT)
    lab.settings.press("stop")
    assert lab.wait(WAIT)
    assert lab.settings.status.startswith("Stopped"), lab.settings.status
    made, rendered = lab.result
    assert 0 < made.config.n_iter < 2000
    np.testing.assert_array_equal(made.run().y, rendered.y)


def test_silence_gives_a_message_and_keeps_the_result(lab, tmp_path):
    lab.run()
    assert lab.wait(WAIT)
    kept = lab.result
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * SR), SR)
    lab.select(content=str(tmp_path / "silent.wav"))
    lab.run()
    assert lab.wait(WAIT)
    assert lab.settings.status_kind == "error"
    assert "silent" in lab.settings.status
    assert lab.result == kept
    assert "stop" in lab.settings.disabled


@pytest.mark.parametrize("suffix", ["wav", "ogg", "flac"])
def test_saved_result_is_made_again_from_its_settings(lab, suffix):
    lab.select(balance=0.6, seed=4)
    lab.content.length = 1.2
    lab.content.start = 0.3
    assert lab.content.start == 0.3
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.update(name="mine", format=suffix)
    lab.saving.press("save")
    assert lab.saving.status_kind == "info", lab.saving.status
    sound = lab._folder / f"mine.{suffix}"
    y, _ = load_audio(sound)
    again = recipe.load_recipe(sound.with_suffix(".json")).run()
    np.testing.assert_array_equal(again.y, lab.result[1].y)
    tolerance = 0.1 * np.abs(again.y).max() if suffix == "ogg" else 1 / 2**15
    np.testing.assert_allclose(y, again.y, atol=tolerance)


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden"])
def test_save_refuses_names_that_are_paths(lab, name):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.update(name=name)
    lab.saving.press("save")
    assert lab.saving.status_kind == "error"
    assert not lab._folder.exists()


@pytest.mark.parametrize("audio_format", ["/../../escape.wav", "x/../wav", "json", ""])
def test_save_refuses_formats_that_are_none(lab, audio_format):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.values = {**lab.saving.values, "format": audio_format}
    with pytest.raises(ValueError, match=r"audio_format=.* must be one of wav, ogg, flac"):
        lab.save("name", audio_format or None)
    assert not lab._folder.exists()


def test_save_without_result_says_so(lab):
    lab.saving.press("save")
    assert "no result to save" in lab.saving.status


def test_python_equivalent_gives_the_same_samples(lab, tmp_path, monkeypatch):
    lab.run()
    assert lab.wait(WAIT)
    monkeypatch.chdir(tmp_path)
    code = lab.snippets.snippets[0]["code"]
    namespace = {}
    exec(compile(code, "snippet", "exec"), namespace)
    np.testing.assert_array_equal(namespace["result"].y, lab.result[1].y)
    assert (tmp_path / "result.wav").is_file()


def test_recipe_at_another_rate_keeps_length_and_samples(lab, tmp_path):
    lab.style.length = lab.content.length = 1.0
    made = replace(lab.recipe(), config=TransferConfig(sr=16000, n_iter=2, polish_iter=0))
    again = made.run()
    assert (again.sr, len(again.y)) == (16000, 16000)
    namespace = {}
    exec(compile(made.python(str(tmp_path / "again.wav")), "snippet", "exec"), namespace)
    np.testing.assert_array_equal(namespace["result"].y, again.y)


def test_shell_equivalent_says_the_same_to_the_command_line(lab):
    lab.settings.update(phase="polish", kernel_size=11, n_iter=300, balance=0.8)
    assert lab.config() == TransferConfig(balance=0.8)
    lab.style.length = lab.content.length = 1.0
    lab.content.start = 0.5
    words = shlex.split(lab.snippets.snippets[1]["code"])
    args = build_parser().parse_args(words[3:])
    assert (args.config_balance, args.content_start, args.duration) == (0.8, 0.5, 1.0)
    assert args.content == lab.content.sound.path
    lab.settings.update(kernel_size=5, phase="paper")
    lab.style.length = 1.5
    args = build_parser().parse_args(shlex.split(lab.snippets.snippets[1]["code"])[3:])
    assert (args.config_kernel_size, args.config_phase) == (5, "griffin_lim")
    assert (args.content_duration, args.style_duration) == (1.0, 1.5)
    lab.style.length = 1.2
    lab.style.start = 0.25
    args = build_parser().parse_args(shlex.split(lab.snippets.snippets[1]["code"])[3:])
    assert (args.content_start, args.style_start) == (0.5, 0.25)


def test_shell_equivalent_takes_no_file_name_for_an_option(lab):
    recipe = lab.recipe()
    for content, style in (("--output=x.wav", "-o"), ("--quiet", "style.wav"), ("content.wav", "--device=x")):
        odd = replace(
            recipe, content=replace(recipe.content, path=content), style=replace(recipe.style, path=style)
        )
        args = build_parser().parse_args(shlex.split(odd.shell("mine.wav"))[3:])
        assert (str(args.content), str(args.style), str(args.output)) == (content, style, "mine.wav")
        assert (args.quiet, args.config_device) == (False, "cpu")


def test_recipe_refuses_another_file_and_says_what_is_missing(lab, tmp_path, content):
    made = lab.recipe()
    soundfile.write(tmp_path / "content.wav", content[::-1], SR)
    with pytest.raises(ValueError, match="not the file the result was made from"):
        made.run()
    (tmp_path / "content.wav").unlink()
    with pytest.raises(FileNotFoundError, match="content="):
        made.run()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"content": 3, "style": 4, "config": {}}'])
def test_settings_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no settings"):
        recipe.load_recipe(path)


# All controls


def test_every_control_has_a_label_and_a_tooltip(lab, explorer):
    forms = [lab.settings, lab.saving, explorer.form, explorer.abx.form]
    fields = [field for form in forms for field in form.fields]
    assert len(fields) > 20
    for field in fields:
        assert field["label"].strip()
        assert len(field["tooltip"]) > 10, field


def test_a_disabled_button_does_nothing():
    form, pressed = Form("Test", [button("go", "Go", "Begin the work")], {}), []
    form.on_press("go", lambda: pressed.append("go"))
    form.disabled = ["go"]
    form._on_message(form, {"type": "press", "name": "go"}, [])
    assert pressed == []
    form.disabled = []
    form._on_message(form, {"type": "press", "name": "go"}, [])
    assert pressed == ["go"]


def test_a_number_is_within_both_limits_of_its_control():
    form = Form("Test", [slider("x", "X", "Between one and two", (1.0, 2.0, 0.1))], {"x": 1.5})
    for allowed in (1.0, 2.0):
        form.update(x=allowed)
    for wrong in (0.9, 2.1):
        with pytest.raises(ValueError, match=rf"x={wrong} is not allowed; it must be 1\.0 to 2\.0"):
            form.update(x=wrong)
    assert form["x"] == 2.0


def test_sound_and_settings_are_offered_together(lab):
    lab.run()
    assert lab.wait(WAIT)
    sent = []
    lab.saving.send = lambda content, buffers=None: sent.append((content["name"], content["first"], buffers))
    sound = lab.save("mine", "wav")
    settings = sound.with_suffix(".json")
    # the first of them removes what was offered before, the second must not
    assert sent == [
        ("mine.wav", True, [sound.read_bytes()]), ("mine.json", False, [settings.read_bytes()])
    ]  # fmt: skip


def test_page_asks_no_other_machine_for_anything():
    parts = [p for p in (paths.root() / "audiostyle" / "static").rglob("*") if p.is_file()]
    assert len(parts) >= 8
    for part in parts:
        text = part.read_text(encoding="utf-8")
        if part.name == "index.html.j2":
            # The one address in it is the one that is taken out.
            assert text.count("https://") == 1
        else:
            # The name of a namespace is no request.
            assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), part.name


def test_numbers_of_the_copies_are_the_ends_of_the_scale(content, style):
    config = TransferConfig(kernel_size=3)
    as_content = live.sound_numbers(set_level(content), content, style, config)
    assert as_content["style_share_limit"] == pytest.approx(1, rel=1e-4)
    assert as_content["chroma_similarity"] == pytest.approx(1, abs=1e-5)
    louder = live.sound_numbers(2 * set_level(content), content, style, config)
    assert abs(louder["style_share_limit"] - 1) > 0.01, "its own gain counts"
    of_soft_clips = live.sound_numbers(2 * set_level(content), 0.5 * content, 0.1 * style, config)
    assert of_soft_clips["style_share_limit"] == pytest.approx(louder["style_share_limit"], rel=1e-4)
    as_style = live.sound_numbers(set_level(style), content, style, config)
    assert as_style["style_share_limit"] == pytest.approx(0, abs=1e-5)
    assert as_style["mfcc_distance"] < 0.2 * as_content["mfcc_distance"]


def test_rendered_numbers_come_in_two_steps(content, style):
    rendered, result = render(content, style, SR, TransferConfig(n_iter=2, kernel_size=3, **live.QUICK_PHASE))
    assert rendered.numbers["iterations"] == len(result.losses) - 1 == 2
    numbers = add_numbers(rendered, content, style).numbers
    assert json.dumps(numbers)
    # of the sound at the level of the computation, not at the content's, a tenth of that
    quiet, _ = render(0.1 * content, style, SR, rendered.config)
    assert add_numbers(quiet, 0.1 * content, style).numbers["style_share_limit"] == pytest.approx(
        numbers["style_share_limit"], rel=1e-3
    )


# The speaker explorer


@pytest.fixture
def speakers(rng, content):
    """Six utterances of three speakers on a plane; the last one lies beside the wrong speaker."""
    place = np.array([[0, 0], [0, 1], [9, 0], [9, 1], [4, 9], [9, 2]], dtype=float)
    squared = ((place[:, None] - place) ** 2).sum(axis=-1)
    ys = tuple(content[: 16000 + 100 * i] for i in range(6))
    names = np.array(["p1", "p1", "p2", "p2", "p3", "p3"])
    files = tuple(Path(f"{speaker}_{i}.wav") for i, speaker in enumerate(names))
    items = Recordings("test", ys, names, (None,) * 6, files)
    return SpeakerExplorer(items, squared, np.array([0, 2, 4]), np.array([1, 3, 5])), place


def test_map_keeps_the_distances_of_a_plane(speakers):
    explorer, place = speakers
    shown = np.array([[p["x"], p["y"]] for p in explorer.map.points])
    for points in (place, shown):
        points -= points.mean(axis=0)
    np.testing.assert_allclose(shown @ shown.T, place @ place.T, atol=1e-9)


def test_speaker_explorer_shows_and_plays_the_neighbours(speakers):
    explorer, _ = speakers
    assert explorer.named.tolist() == ["p1", "p2", "p2"]
    assert [p["wrong"] for p in explorer.map.points] == [False] * 5 + [True]
    assert explorer.neighbours(5).tolist() == [2, 4, 0]
    explorer.select(5)
    assert explorer.map.query == 5
    assert explorer.map.neighbours == [2, 4, 0]
    assert "p3; the nearest neighbour says p2: WRONG" in explorer.form.status
    assert "2 of 3 are right" in explorer.form.status
    assert [len(samples(explorer.player, f"near{k}")) for k in range(3)] == [16200, 16400, 16000]
    assert "another speaker" in explorer.player.slot("near0")["note"]
    assert "same speaker" in explorer.player.slot("near1")["note"]
    # from (9, 2) to (9, 0), (4, 9) and (0, 0)
    distances = np.array([2, 74**0.5, 85**0.5])
    for k, ratio in enumerate(distances / 2):
        assert explorer.player.slot(f"near{k}")["note"].endswith(f"distance ×{ratio:.2f}")


def test_a_click_on_the_map_chooses(speakers):
    explorer, _ = speakers
    explorer.map.query = 3
    assert explorer.form["utterance"] == "3"
    assert len(samples(explorer.player, "query")) == 16300
    with pytest.raises(ValueError, match="utterance='0'"):
        explorer.select(0)


def test_speaker_explorer_refuses_a_matrix_of_another_size(speakers):
    items = speakers[0].items
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        SpeakerExplorer(items, np.zeros((2, 2)), [0], [1])
