import numpy as np
import pandas as pd
import pytest

from audiostyle import tradeoffs
from audiostyle.baselines import activations, cross_synthesis, nmf_musaicing, spectral_envelope
from audiostyle.clips import Pair, PairAudio
from audiostyle.metrics import MEASURES, mfcc_frechet_distance
from audiostyle.tradeoffs import COPY_CONTENT, POLISH, at_equal, dominance

SR = 22050


def test_activations_find_the_frames_of_a_shuffled_style(rng):
    W = rng.uniform(size=(40, 12)) ** 4
    W /= W.sum(axis=0)
    order = [3, 4, 5, 6, 0, 1, 2, 9, 10, 11, 7, 8]
    H = activations(W[:, order], W, n_iter=60, repetition=3, polyphony=10, continuity=1)
    assert H.argmax(axis=0).tolist() == order


def test_activations_keep_their_constraints(rng):
    V, W = rng.uniform(size=(30, 40)), rng.uniform(size=(30, 25))
    for polyphony in (1, 3):
        # continuity 0 spreads nothing, so that the last iteration's cut stays visible
        H = activations(V, W, n_iter=15, repetition=2, polyphony=polyphony, continuity=0)
        assert (H > 0).sum(axis=0).max() <= polyphony
        for row in H:
            assert np.diff(np.flatnonzero(row)).min(initial=99) > 2


def test_musaicing_uses_the_styles_sound(content, style):
    made = [nmf_musaicing(content, style, seed=seed) for seed in range(6)]
    assert all(y.shape == content.shape for y in made)
    # The content's notes lie lower than any of the style's frames, so that not all of the timbre can come along.
    taken = np.mean([mfcc_frechet_distance(y, style, SR) for y in made])
    assert taken < 0.6 * mfcc_frechet_distance(content, style, SR)
    assert np.array_equal(made[0], nmf_musaicing(content, style))


def test_musaicing_takes_the_frames_that_fit_however_loud_they_are():
    """A soft template needs a large activation, which must not win it the place of one that fits better."""
    t = np.arange(40 * 1024) / SR
    low, high = (np.sin(2 * np.pi * k * SR / 2048 * t) for k in (40, 120))
    content = (0.1 * low + 0.05 * high).astype(np.float32)
    style = np.concatenate([0.1 * low, 0.015 * high]).astype(np.float32)
    y = nmf_musaicing(content, style, polyphony=1, continuity=0, griffin_lim_iter=0)
    power = np.abs(np.fft.rfft(y)) ** 2
    bins = [round(k * len(y) / 2048) for k in (40, 120)]
    at_low, at_high = (power[b - 20 : b + 20].sum() for b in bins)
    assert at_low > 10 * at_high


def test_cross_synthesis_keeps_the_loudness_of_every_moment(rng):
    t = np.arange(4 * SR) / SR
    content = (rng.normal(size=4 * SR) * (0.02 + 0.2 * np.sin(np.pi * t) ** 2)).astype(np.float32)
    style = np.cumsum(rng.normal(size=4 * SR)).astype(np.float32)
    made = cross_synthesis(content, style)
    levels = [
        20 * np.log10([y[i : i + 4096].std() for i in range(4096, 3 * SR, 4096)]) for y in (content, made)
    ]
    assert np.ptp(levels[0]) > 10
    # frames overlap, and a filtered frame is not that of any signal: a decibel
    np.testing.assert_allclose(levels[1], levels[0], atol=1)


def test_cross_synthesis_with_itself_changes_nothing(content):
    y = cross_synthesis(content, content)
    assert np.max(np.abs(y - content)[:-2048]) < 1e-4


def test_cross_synthesis_takes_the_envelope(rng):
    content = rng.normal(size=4 * SR).astype(np.float32)
    spectrum = np.fft.rfft(rng.normal(size=2 * SR))
    hz = np.fft.rfftfreq(2 * SR, 1 / SR)
    style = np.fft.irfft(spectrum * np.exp(-hz / 2000)).astype(np.float32)
    made = np.abs(np.fft.rfft(cross_synthesis(content, style))) ** 2
    slope = np.diff(np.log([made[10_000:12_000].mean(), made[26_000:28_000].mean()]))[0] / (4000 / 4)
    # power falls by exp(−2 hz / 2000); bins are 1/4 Hz apart, so that 16 000 of them are 4000 Hz
    assert slope * 1000 / 4000 == pytest.approx(-2 / 2000, rel=0.15)


def test_spectral_envelope_is_smooth(rng):
    t = np.arange(257)
    slow = np.cos(2 * np.pi * t / 256)[:, None]
    fast = np.cos(2 * np.pi * 60 * t / 256)[:, None]
    assert np.allclose(spectral_envelope(slow + fast, 30), slow, atol=1e-9)


def test_at_equal_interpolates_and_refuses_to_extrapolate():
    curve = pd.DataFrame({"x": [0.2, 0.8, 0.4], "y": [2.0, 8.0, 4.0]})
    assert at_equal(curve, "x", "y", 0.5) == pytest.approx(5)
    assert np.isnan(at_equal(curve, "x", "y", 0.9))
    assert np.isnan(at_equal(curve.iloc[:0], "x", "y", 0.5))


def test_dominance_of_a_better_and_of_a_worse_curve():
    columns = ["pair", "method", "balance", "chroma_similarity", "mfcc_frechet"]
    point = [["a", tradeoffs.PAPER, 0.5, 0.7, 40.0], ["a", tradeoffs.PAPER, 0.5, 0.7, 44.0]]
    other = [["a", tradeoffs.PAPER, 0.8, 0.1, 1.0], ["a", COPY_CONTENT, np.nan, 1.0, 100.0]]
    for curve, better in (([[0.9, 50.0], [0.6, 20.0]], True), ([[0.9, 90.0], [0.6, 60.0]], False)):
        rows = [["a", POLISH, 0.5, x, y] for x, y in curve]
        table = pd.DataFrame(point + other + rows, columns=columns)
        (row,) = dominance(table).to_dict("records")
        assert row["mfcc_frechet"] == 42
        assert row["better"] is better
        assert row["timbre_at_equal_content"] == pytest.approx(curve[1][1] + 10.0)


@pytest.fixture
def pair_audio(content, style):
    pair = Pair("toy", "bundled", "toy", "toy", "", 0.0, "", 0.0, "", 0.0, "", 0)
    return pair, PairAudio(content, style, None, SR)


def test_curves_have_a_row_for_every_method_and_all_measures(pair_audio):
    config = tradeoffs.TransferConfig(n_iter=5, griffin_lim_iter=3)
    rows = list(
        tradeoffs.curve_rows(*pair_audio, balances=(0.5,), methods=tuple(tradeoffs.PHASES), config=config)
    )
    assert [row["method"] for row in rows] == [*tradeoffs.PHASES, POLISH, tradeoffs.WAVEFORM]
    for row in rows:
        assert {measure.name for measure in MEASURES} <= row.keys()
    polish = next(row for row in rows if row["method"] == POLISH)
    assert polish["style_share_limit"] == min(
        row["style_share_limit"] for row in rows if row["method"] != tradeoffs.WAVEFORM
    )


def test_paper_rows_have_a_row_for_every_seed(pair_audio):
    config = tradeoffs.TransferConfig(
        encoder="random", n_filters=32, phase="griffin_lim", n_iter=3, griffin_lim_iter=3
    )
    rows = list(tradeoffs.paper_rows(*pair_audio, balances=(0.5,), seeds=(0, 1, 2), config=config))
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert len({row["style_share_limit"] for row in rows}) == 3


def test_references_are_the_copies_and_two_systems(pair_audio):
    rows = {row["method"]: row for row in tradeoffs.reference_rows(*pair_audio)}
    assert tuple(rows) == tradeoffs.REFERENCES
    assert rows[COPY_CONTENT]["style_share_limit"] == pytest.approx(1)
    assert rows[COPY_CONTENT]["content_share_limit"] == 0


def test_gain_of_a_reference_does_not_matter(pair_audio, monkeypatch):
    monkeypatch.setattr(tradeoffs, "nmf_musaicing", lambda content, style: content)
    monkeypatch.setattr(tradeoffs, "cross_synthesis", lambda content, style: 3 * content)
    pair, audio = pair_audio
    short = PairAudio(audio.content[:14000], audio.style[:14000], None, SR)
    rows = {row["method"]: row for row in tradeoffs.reference_rows(pair, short)}
    for measure in MEASURES:
        value = rows[tradeoffs.CROSS][measure.name]
        assert value == pytest.approx(
            rows[tradeoffs.MUSAICING][measure.name], rel=1e-4, abs=1e-6, nan_ok=True
        )


def test_scoreboard_counts_pairs():
    rows = []
    for pair, gain in (("a", 0.1), ("b", -0.1)):
        for method, balance, shift in (
            (tradeoffs.PAPER, 0.5, 0.0),
            (POLISH, 0.5, gain),
            (COPY_CONTENT, np.nan, 0),
        ):
            measures = dict.fromkeys(tradeoffs.CONTENT_MEASURES, 0.5 + shift)
            measures |= dict.fromkeys(tradeoffs.TIMBRE_MEASURES, 0.5 - shift)
            if method == COPY_CONTENT:
                measures = {name: 1.0 for name in measures}
            rows.append({"pair": pair, "method": method, "balance": balance, **measures})
    board = tradeoffs.scoreboard(pd.DataFrame(rows), [(POLISH, tradeoffs.PAPER)])
    assert board.shape == (1, 9)
    assert (board == "1 of 2").all(axis=None)


def test_target_rows_need_a_target(pair_audio, content):
    pair, audio = pair_audio
    with pytest.raises(ValueError, match="no known target"):
        list(tradeoffs.target_rows(pair, audio))
    known = PairAudio(audio.content, audio.style, content, SR)
    config = tradeoffs.TransferConfig(n_iter=5, polish_iter=5)
    rows = {
        row["method"]: row["target_distance_db"] for row in tradeoffs.target_rows(pair, known, config=config)
    }
    assert rows[COPY_CONTENT] == pytest.approx(0, abs=1e-3)
    assert rows["polish, balance 0.3, kernel 11"] > 0.1
