"""A stored result is used again when everything that made it is the same, and at no other time."""

import importlib
from dataclasses import replace

import pytest
import torch

from audiostyle.config import TransferConfig
from audiostyle.datasets import keys
from audiostyle.datasets.clips import get_pair
from audiostyle.encoders.random import RandomEncoder
from audiostyle.studies.width import Problem
from audiostyle.widgets.renders import Rendered, load_stored, store
from benchmarks import width as benchmark

SR = 22050
PAIR = get_pair("instrument-1", "bundled")


def change_code(monkeypatch, module):
    """Let the code of a module be other than it is."""
    real = keys.code_version
    monkeypatch.setattr(keys, "code_version", lambda name: "other" if name == module else real(name))


class TestWidthBenchmark:
    @pytest.fixture
    def runs(self, monkeypatch):
        """The optimisations with random filters, as (filters, seed, balance, iterations)."""
        made = []

        def optimise(given, encoder, balance, *, n_iter):
            if isinstance(encoder, RandomEncoder):
                made.append((encoder.n_filters, encoder.seed, balance, n_iter))
            return torch.full((2, 3), float(len(made)))

        monkeypatch.setattr(benchmark.width, "minimum_under", optimise)
        return made

    def run(self, pair=PAIR, balances=(0.5,)):
        given = Problem(torch.zeros(2, 3), torch.zeros(2, 3), 1.0, 1.0)
        return benchmark.optimised(pair, given, balances)["random-4096", balances[0]]

    def test_the_same_is_read(self, runs):
        first = self.run()
        torch.testing.assert_close(self.run(), first)
        assert runs == [(4096, 0, 0.5, 300)]

    @pytest.mark.parametrize(
        ("name", "value"), [("N_FILTERS", 8), ("SEED", 1), ("N_ITER", 7), ("DURATION", 5.0)]
    )
    def test_another_setting_is_made(self, runs, monkeypatch, name, value):
        self.run()
        monkeypatch.setattr(benchmark, name, value)
        self.run()
        assert len(runs) == 2

    def test_another_balance_pair_or_cut_is_made(self, runs):
        self.run(balances=(0.5, 0.8))
        self.run(replace(PAIR, content_start_s=PAIR.content_start_s + 1))
        self.run(replace(PAIR, style_start_s=PAIR.style_start_s + 1))
        self.run(replace(PAIR, content_clip=PAIR.style_clip))
        self.run(get_pair("instrument-2", "bundled"))
        assert len(runs) == 6

    def test_other_code_is_made(self, runs, monkeypatch):
        self.run()
        change_code(monkeypatch, "audiostyle.studies.width")
        self.run()
        assert len(runs) == 2


class TestRenders:
    def keep(self, config, y):
        store(PAIR, 3.0, Rendered(y, SR, config, {"style_share": 0.5}))

    def test_other_code_is_not_found(self, content, monkeypatch):
        config = TransferConfig()
        self.keep(config, content)
        assert load_stored(PAIR, 3.0, config) is not None
        change_code(monkeypatch, "audiostyle.widgets.renders")
        assert load_stored(PAIR, 3.0, config) is None

    def test_other_filters_and_cuts_are_not_found(self, content):
        config = TransferConfig(encoder="random")
        self.keep(config, content)
        assert load_stored(PAIR, 3.0, replace(config, seed=1)) is None
        assert load_stored(PAIR, 3.0, replace(config, n_filters=8)) is None
        assert load_stored(PAIR, 4.0, config) is None
        assert load_stored(replace(PAIR, content_start_s=PAIR.content_start_s + 1), 3.0, config) is None
        assert load_stored(replace(PAIR, style_clip=PAIR.content_clip), 3.0, config) is None


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("width", ["--balances", "0.33"], "invalid choice: 0.33"),
        ("width", ["--balances", "nan"], "invalid choice: nan"),
        ("run", ["evaluation", "nonsense"], "no part is called nonsense; there are evaluation,"),
        ("trade_offs", ["curves", "--balances", "half"], "invalid values value: 'half'"),
        ("trade_offs", ["curves", "--seeds", "1"], "--seeds means nothing for curves"),
        ("trade_offs", ["references", "--balances", "0.5"], "--balances means nothing for references"),
        (
            "trade_offs",
            ["paper", "--pairs", "speech-1,speech-9"],
            "no pair is called speech-9; there are speech-1,",
        ),
    ],
)
def test_benchmarks_refuse_what_they_cannot_measure_before_the_work(capsys, module, words, message):
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"benchmarks.{module}").main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
