"""What a transfer will take is known before it begins, and the progress bar says how far it is."""

import subprocess
import sys
from dataclasses import replace

import pytest

from audiostyle import cost, transfer
from audiostyle.config import TransferConfig
from audiostyle.cost import check_memory, expected_cost
from audiostyle.datasets import paths

SR = 22050
TEN = 10 * SR
# Peak of the resident memory in a transfer, less that before it, in a process that made a small one first.
_MEASURE = """
import re, sys
import numpy as np, psutil, torch
from audiostyle.config import TransferConfig
from audiostyle.transfer import transfer_style
torch.set_num_threads(1)
settings, seconds = eval(sys.argv[1])
noise = np.random.default_rng(0).normal(size=seconds * 22050).astype(np.float32)
small = TransferConfig(**settings | {"n_iter": 1, "polish_iter": 1})
transfer_style(noise[:22050], noise[:22050], config=small, progress=False)
before = psutil.Process().memory_info().rss
config = TransferConfig(**settings, tolerance=0)
transfer_style(noise, noise[:220500], config=config, progress=False)
# ru_maxrss would count what the parent had when it forked.
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024 - before)
"""


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"start": "content", "n_iter": 12, "polish_iter": 2}, 40),
        ({"start": "matched"}, 40),
        ({"encoder": "random", "n_filters": 1024, "n_iter": 2, "polish_iter": 1}, 20),
    ],
    ids=["infinite", "matched", "random"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count resident memory otherwise")
def test_memory_is_what_a_process_takes(settings, seconds):
    out = subprocess.run(
        [sys.executable, "-c", _MEASURE, repr((settings, seconds))],
        capture_output=True, text=True, check=True, cwd=paths.root(),
    ).stdout  # fmt: skip
    expected = expected_cost(TransferConfig(**settings), seconds * SR, TEN).memory
    assert 0.5 * expected < int(out) < 1.3 * expected


@pytest.mark.parametrize("encoder", ["infinite", "random"])
def test_longer_clips_and_shorter_hops_cost_more(encoder):
    config = TransferConfig(encoder=encoder, start="content")
    one = expected_cost(config, TEN, TEN)
    for other in (
        expected_cost(config, 60 * TEN, TEN),
        expected_cost(config, TEN, 60 * TEN),
        expected_cost(replace(config, hop_length=64), TEN, TEN),
        expected_cost(replace(config, n_fft=2**19, kernel_size=22), TEN, TEN),
    ):
        assert other.memory > 1.5 * one.memory
        assert other.seconds > 1.5 * one.seconds


def test_matching_takes_memory_of_its_own():
    of_matched, of_content = (TransferConfig(start=start) for start in ("matched", "content"))
    minute = 6 * TEN
    first = expected_cost(of_matched, TEN, TEN).memory
    assert first > expected_cost(of_content, TEN, TEN).memory
    assert expected_cost(of_matched, 12 * minute, TEN).memory > 2 * first
    # of a style at most half a minute is used; at a fine hop the optimisation takes more than matching
    used = [expected_cost(of_matched, TEN, n).memory for n in (TEN, minute, 2 * minute)]
    assert used[1] > 2 * used[0] > used[2] - used[1]
    assert expected_cost(replace(of_matched, sr=2 * SR), 2 * TEN, 2 * TEN).memory == first
    fine = {"hop_length": 8}
    assert (
        expected_cost(replace(of_matched, **fine), TEN, TEN).memory
        == expected_cost(replace(of_content, **fine), TEN, TEN).memory
    )


def test_iterations_are_those_of_every_stage():
    assert expected_cost(TransferConfig(n_iter=100), TEN, TEN).n_iter == 1
    assert expected_cost(TransferConfig(n_iter=100, balance=0.6, polish_iter=7), TEN, TEN).n_iter == 107
    config = TransferConfig(start="content", n_iter=100, polish_iter=7)
    assert expected_cost(config, TEN, TEN).n_iter == 107
    assert expected_cost(replace(config, unknowns="samples"), TEN, TEN).n_iter == 100
    assert expected_cost(replace(config, match=0.5), TEN, TEN).n_iter == 1207


@pytest.mark.parametrize("start", ["matched", "content"])
def test_refused_where_less_is_free_and_only_there(monkeypatch, content, style, start):
    config = TransferConfig(start=start, n_iter=1, polish_iter=0)
    needed = expected_cost(config, len(content), len(style)).memory
    monkeypatch.setattr(cost, "free_memory", lambda device: needed)
    check_memory(config, len(content), len(style))
    assert transfer.transfer_style(content, style, SR, config, progress=False).y.size == len(content)
    monkeypatch.setattr(cost, "free_memory", lambda device: needed - 1)
    with pytest.raises(
        MemoryError, match=r"hop_length=1024 and clips of 2\.0 and 1\.5 s need about 0\.\d GB"
    ):
        transfer.transfer_style(content, style, SR, config, progress=False)


def test_memory_is_checked_again_for_the_style_at_every_pitch_that_is_used(monkeypatch, content, style):
    checked, optimised = [], []
    monkeypatch.setattr(transfer, "check_memory", lambda config, *lengths: checked.append(lengths))

    def record(content, style, config, **others):
        optimised.append((len(content), len(style)))
        raise InterruptedError

    monkeypatch.setattr(transfer, "optimise", record)
    with pytest.raises(InterruptedError):
        transfer.transfer_style(content, style, SR, TransferConfig(balance=0.9), progress=False)
    assert checked == [(len(content), len(style)), *optimised]
    assert optimised[0][1] > len(style)


class Bar(transfer.tqdm):
    """A progress bar that remembers its name, position and end at every move."""

    seen: list

    def display(self, *args, **kwargs):
        self.seen.append((self.desc.removesuffix(": "), self.n, self.total))


@pytest.fixture
def bar(monkeypatch):
    Bar.seen = []
    monkeypatch.setattr(Bar, "monitor_interval", 0)
    monkeypatch.setattr(transfer, "tqdm", lambda **options: Bar(mininterval=0, **options))
    return Bar.seen


@pytest.mark.parametrize("settings", [{}, {"match": 0.5}], ids=["balance", "match"])
def test_bar_goes_through_both_stages_and_is_full_at_the_end_only(bar, content, style, settings):
    config = TransferConfig(start="content", n_iter=9, polish_iter=5, tolerance=0, **settings)
    result = transfer.transfer_style(content, style, SR, config)
    made = len(result.losses) - 1
    polish = [(n, total) for stage, n, total in bar if stage == "polish"]
    assert polish[0] == (made, made + 5)
    assert polish[-1] == (made + 5, made + 5)
    assert {total for _, total in polish} == {made + 5}
    optimising = [(n, total) for stage, n, total in bar if stage == "transfer" and total]
    assert optimising[0] == (0, 9)
    assert all(n <= total for n, total in optimising)
    assert sum(n == total for n, total in optimising) < len(optimising) / 2
    assert bar[-1] == ("done", made + 5, made + 5)


def test_pooled_style_costs_as_its_pairs_of_patches():
    """74 offsets of 11 among 84 bands, one time in 11: some 45 times the pairs."""
    plain, pooled = (
        expected_cost(TransferConfig(front_ends=name, start="content"), TEN, TEN)
        for name in ("cqt", "pooled_cqt")
    )
    assert pooled.seconds == pytest.approx((74 / 11) ** 2 * plain.seconds, rel=0.1)
