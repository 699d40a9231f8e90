"""Every measure on signals whose answer is known."""

import librosa
import numpy as np
import pytest
import torch

from audiostyle import RandomEncoder, TransferConfig, transfer_style
from audiostyle.audio import set_level
from audiostyle.content_metrics import chroma_similarity, onset_f_measure, pitch_agreement, tempo_ratio
from audiostyle.infinite import InfiniteEncoder
from audiostyle.live import sound_numbers
from audiostyle.losses import TransferLoss
from audiostyle.metrics import (
    MEASURES,
    copied_from,
    evaluate,
    evaluate_sound,
    frechet_distance,
    fresh_encoder,
    judge_losses,
    log_spectral_distance,
    mfcc_distance,
    mfcc_frechet_distance,
)
from audiostyle.spectrogram import log_magnitude
from audiostyle.textures import MODULATION_EDGES, band_envelopes, texture, texture_distance

SR = 22050
SCALE = [220, 247, 277, 294, 330, 370, 415, 440]


def noise(rng, seconds=2.0):
    return rng.normal(size=int(seconds * SR)).astype(np.float32) * 0.1


def melody(notes, *, harmonics, seconds_each=0.25):
    """Notes in hertz, plucked, with the given amplitudes of their harmonics."""
    t = np.arange(int(seconds_each * SR)) / SR
    envelope = 0.1 * np.minimum(1, 40 * t) * np.exp(-3 * t)
    tones = [sum(a * np.sin(2 * np.pi * f * (h + 1) * t) for h, a in enumerate(harmonics)) for f in notes]
    return np.concatenate([envelope * tone for tone in tones]).astype(np.float32)


def clicks(times, seconds=4.0):
    y = np.zeros(int(seconds * SR), dtype=np.float32)
    burst = np.exp(-np.arange(800) / 100) * np.sin(np.arange(800) * 0.5)
    for t in times:
        start = int(t * SR)
        y[start : start + 800] += burst
    return y


def test_frechet_distance_of_moved_and_of_widened_clouds(rng):
    x = rng.normal(size=(4, 300)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None]
    moved = x + np.array([3.0, 0.0, 4.0, 0.0])[:, None]
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(x, moved) == pytest.approx(5)
    # doubled about its mean: d² = tr(Σ + 4 Σ − 2 · 2 Σ) = tr Σ
    widened = x + (x - x.mean(axis=1, keepdims=True))
    assert frechet_distance(x, widened) == pytest.approx(np.sqrt(np.trace(np.cov(x, bias=True))))
    assert frechet_distance(x, widened) == pytest.approx(frechet_distance(widened, x))


def test_frechet_distance_of_independent_axes_is_that_of_the_deviations(rng):
    a, b = (np.linalg.qr(rng.normal(size=(50, 3)) - 0)[0].T for _ in range(2))
    a, b = ((x - x.mean(axis=1, keepdims=True)) for x in (a, b))
    for x in (a, b):  # whiten, then give the axes known deviations
        L = np.linalg.cholesky(np.cov(x, bias=True))
        x[:] = np.linalg.solve(L, x)
    a, b = a * np.array([[1.0], [2.0], [3.0]]), b * np.array([[4.0], [2.0], [1.0]])
    assert frechet_distance(a, b) == pytest.approx(np.sqrt(9 + 0 + 4))


def test_mfcc_measures_tell_timbres_apart_but_not_notes():
    bright, dull = [0.2, 1, 0.5, 0.8, 0.3], [1, 0.1]
    same_timbre = melody(SCALE[::-1], harmonics=bright)
    a, other = melody(SCALE, harmonics=bright), melody(SCALE, harmonics=dull)
    for measure in (mfcc_distance, mfcc_frechet_distance):
        assert measure(a, a, SR) == pytest.approx(0, abs=1e-2)
        assert measure(same_timbre, a, SR) < 0.25 * measure(other, a, SR)


def test_pauses_do_not_change_the_timbre():
    a = melody(SCALE, harmonics=[1, 0.5, 0.2])
    rests = np.concatenate([a[: len(a) // 2], np.zeros(2 * SR, np.float32), a[len(a) // 2 :]])
    other = melody(SCALE, harmonics=[0.2, 1, 0.5, 0.8, 0.3])
    assert mfcc_frechet_distance(rests, a, SR) < 0.1 * mfcc_frechet_distance(other, a, SR)


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_level_leaves_the_mfcc_measures(gain, rng):
    a, b = noise(rng), melody(SCALE, harmonics=[1, 0.5])
    b = b + 0.01 * noise(rng, len(b) / SR)[: len(b)]
    for measure in (mfcc_frechet_distance, mfcc_distance):
        assert measure(gain * b, a, SR) == pytest.approx(measure(b, a, SR), rel=0.05)


def test_chroma_knows_notes_and_not_timbre():
    a, b = melody(SCALE, harmonics=[1]), melody(SCALE, harmonics=[1, 0.3])
    semitone_up = melody([f * 2 ** (1 / 12) for f in SCALE], harmonics=[1])
    octave_up = melody([2 * f for f in SCALE], harmonics=[1])
    assert chroma_similarity(a, a, SR) == pytest.approx(1)
    assert chroma_similarity(octave_up, a, SR) > 0.9
    assert chroma_similarity(b, a, SR) > 0.9
    assert chroma_similarity(semitone_up, a, SR) < 0.5
    assert chroma_similarity(np.zeros_like(a), a, SR) == 0
    half = np.where(np.arange(len(a)) < len(a) // 2, a, 0)
    # where one is silent nothing is compared; a frame or two at the cut hold a click
    assert chroma_similarity(half, a, SR) > 0.9


def test_pitch_agreement_counts_the_frames_that_agree():
    a = melody(SCALE, harmonics=[1, 0.5, 0.3], seconds_each=0.5)
    half_wrong = melody(SCALE[:4] + [1.2 * f for f in SCALE[4:]], harmonics=[1, 0.5, 0.3], seconds_each=0.5)
    assert pitch_agreement(a, a, SR) == 1
    assert pitch_agreement(0.3 * a, a, SR) > 0.95
    assert pitch_agreement(half_wrong, a, SR) == pytest.approx(0.5, abs=0.08)  # frames at the note's edges
    detuned = melody([f * 2 ** (20 / 1200) for f in SCALE], harmonics=[1, 0.5, 0.3], seconds_each=0.5)
    assert pitch_agreement(detuned, a, SR) > 0.9  # 20 cents
    assert np.isnan(pitch_agreement(a, np.zeros_like(a), SR))


def test_onsets_within_50_ms_count():
    times = [0.5, 1.1, 1.9, 2.4, 3.3]
    a = clicks(times)
    assert onset_f_measure(a, a, SR) == 1
    assert onset_f_measure(clicks([t + 0.02 for t in times]), a, SR) == 1
    assert onset_f_measure(clicks([t + 0.15 for t in times]), a, SR) == 0
    # three of five found, none wrong: precision 1, recall 3/5
    assert onset_f_measure(clicks(times[:3]), a, SR) == pytest.approx(2 * 0.6 / 1.6)
    assert onset_f_measure(np.zeros_like(a), a, SR) == 0


def test_tempo_ratio_of_clicks():
    beats = {bpm: clicks(np.arange(0.1, 11, 60 / bpm), seconds=12.0) for bpm in (100, 125)}
    assert tempo_ratio(beats[100], beats[100], SR) == 1
    # estimates lie on a grid of lags some 3 % apart
    assert tempo_ratio(beats[125], beats[100], SR) == pytest.approx(1.25, rel=0.05)


def test_copies_are_found_at_any_level_and_place(rng):
    source, own = noise(rng, 4), noise(rng, 4)
    assert copied_from(source, source, SR) == pytest.approx(1)
    # independent noise: a correlation of 22 050 samples has deviation 1/√22050 = .0067; the largest of 500 000
    # seldom exceeds five deviations
    assert copied_from(own, source, SR) < 0.04
    pasted = own.copy()
    pasted[SR : 3 * SR] = -0.25 * source[1000 : 1000 + 2 * SR]
    assert copied_from(pasted, source, SR) == pytest.approx(1)
    # half signal, half noise by power
    assert copied_from(source + own, source, SR) == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_log_spectral_distance_is_the_gain_of_the_bands(rng):
    y = noise(rng, 3)
    assert log_spectral_distance(y, y, SR) == 0
    assert log_spectral_distance(3 * y, y, SR) == pytest.approx(0, abs=1e-3)
    spectrum = np.fft.rfft(y)
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    for decibels in (6.0, 12.0):
        tilted = np.fft.irfft(spectrum * np.where(hz < 1000, 10 ** (decibels / 20), 1), len(y))
        # Bands on both sides of the step differ by the step; the levelling adds one number to all of them.
        low, high = _bands_below(1000)
        g = 10 ** (decibels / 10)
        shift = 10 * np.log10((low.energy * g + high.energy) / (low.energy + high.energy))
        expected = np.sqrt((low.n * (decibels - shift) ** 2 + high.n * shift**2) / (low.n + high.n))
        assert log_spectral_distance(tilted, y, SR) == pytest.approx(expected, rel=0.1)


class _Side:
    def __init__(self, n, energy):
        self.n, self.energy = n, energy


def _bands_below(hz):
    """Mel bands of 80 below and above a frequency; white noise has energy in proportion to their area."""
    bank = librosa.filters.mel(sr=SR, n_fft=2048, n_mels=80)
    centre = librosa.mel_frequencies(82, fmax=SR / 2)[1:-1]
    area = bank.sum(axis=1)
    return _Side((centre < hz).sum(), area[centre < hz].sum()), _Side(
        (centre >= hz).sum(), area[centre >= hz].sum()
    )


def test_texture_finds_the_rate_of_modulation(rng):
    t = np.arange(8 * SR) / SR
    for rate in (3.0, 12.0):
        y = noise(rng, 8) * (1 + np.sin(2 * np.pi * rate * t))
        shares = texture(y, SR).modulation.reshape(32, -1).mean(axis=0)
        expected = np.searchsorted(MODULATION_EDGES, rate) - 1
        assert shares.argmax() == expected


def test_texture_statistics_of_noise_and_of_one_common_envelope(rng):
    still = texture(noise(rng, 8), SR)
    assert abs(still.correlation).mean() < 0.1
    t = np.arange(8 * SR) / SR
    together = texture(noise(rng, 8) * (1 + 0.95 * np.sin(2 * np.pi * 2 * t)), SR)
    assert together.correlation.min() > 0.5
    assert together.variation.min() > still.variation.max()


def test_texture_distance_ignores_time_and_level(rng):
    a, b = noise(rng, 8), noise(rng, 8)
    tone = melody(SCALE * 4, harmonics=[1, 0.5])
    assert texture_distance(a, a, SR) == 0
    assert texture_distance(0.2 * a, a, SR) == pytest.approx(0, abs=1e-6)
    assert texture_distance(np.roll(tone, 2 * SR), tone, SR) < 0.1
    assert texture_distance(b, a, SR) < 0.2 < 0.6 < texture_distance(tone, a, SR)


def test_band_envelopes_compress_power(rng):
    y = noise(rng, 2)
    assert np.allclose(band_envelopes(2 * y, SR), 4**0.3 * band_envelopes(y, SR))


@pytest.mark.parametrize("judge", ["limit", "fresh"])
def test_shares_are_those_of_the_objective(content, style, judge):
    """One unit everywhere: at the balance 0.5 the objective is a quarter of the sum of both shares."""
    encoder = InfiniteEncoder() if judge == "limit" else fresh_encoder(64)
    C, A, X = (log_magnitude(set_level(y)) for y in (content, style, content[::-1].copy()))
    value = TransferLoss(encoder, C, A)(X)
    y = set_level(content[::-1].copy())
    judged = judge_losses(y, 0.3 * content, 4 * style, judge=judge, n_filters=64)
    shares = judged[f"content_share_{judge}"] + judged[f"style_share_{judge}"]
    assert value.total == pytest.approx(shares / 4, rel=1e-4)
    assert judged[f"content_loss_{judge}"] == pytest.approx(value.content, rel=1e-4)
    assert judged[f"style_loss_{judge}"] == pytest.approx(value.style, rel=1e-4)


def test_judge_does_not_ask_what_was_optimised(content, style):
    y = set_level(content)[::-1].copy()
    odd = TransferConfig(kernel_size=3, activation="none", n_filters=7, encoder="random", seed=5)
    assert judge_losses(y, content, style) == judge_losses(y, content, style, config=odd)


def test_content_of_another_length_is_not_judged(content, style):
    judged = judge_losses(set_level(content)[:-5000], content, style)
    assert np.isnan(judged["content_share_limit"])
    assert judged["style_share_limit"] > 0


def test_unknown_judge_is_named(content, style):
    with pytest.raises(ValueError, match="judge='jury' is not allowed"):
        judge_losses(content, content, style, judge="jury")


def test_all_tables_of_one_transfer_agree(content, style):
    """The lab, the measures and the trade-offs give the style that is left of a sound by one number."""
    config = TransferConfig(kernel_size=3, n_iter=4, polish_iter=4)
    result = transfer_style(content, style, config=config, progress=False)
    judged = judge_losses(result.y_computed, content, style)
    row = evaluate(result, content, style, pitch=False)
    of_lab = sound_numbers(result.y_computed, content, style, config)
    assert row["style_share_limit"] == of_lab["style_share_limit"] == judged["style_share_limit"]
    assert row["content_share_limit"] == judged["content_share_limit"]


def test_evaluate_sound_of_the_two_copies(content, style):
    style = style[: len(content)]
    of_content = evaluate_sound(set_level(content), content, style, target=content)
    short = content[: len(style)]
    of_style = evaluate_sound(set_level(style), short, style, target=content)
    for name, value in {
        "style_share_limit": 1,
        "content_share_limit": 0,
        "chroma_similarity": 1,
        "pitch_agreement": 1,
        "onset_f": 1,
        "tempo_ratio": 1,
        "target_distance_db": 0,
    }.items():
        assert of_content[name] == pytest.approx(value, abs=1e-5), name
    for name in ("style_share_limit", "mfcc_frechet", "mfcc_distance", "texture_distance"):
        assert of_style[name] < 0.05 * of_content[name], name
    assert of_style["copied_from_style"] == pytest.approx(1)


def test_gain_of_the_sound_counts_and_that_of_the_clips_does_not(content, style):
    def shares(of_sound, of_content=1, of_style=1):
        y, c, s = of_sound * set_level(content), of_content * content, of_style * style
        row = evaluate_sound(y, c, s, pitch=False)
        return row["style_share_limit"], row["content_share_limit"]

    assert shares(1) == pytest.approx((1, 0), abs=1e-5)
    assert shares(1, 2, 8) == pytest.approx((1, 0), abs=1e-5)
    assert shares(0.5)[1] > 0.01
    assert shares(0.5) == pytest.approx(shares(0.5, 2, 0.25), rel=1e-4)


@pytest.mark.parametrize("phase", ["griffin_lim", "polish", "waveform"])
def test_evaluate_gives_one_row_with_every_measure(content, style, phase):
    config = TransferConfig(n_filters=64, n_iter=5, polish_iter=5, griffin_lim_iter=5, phase=phase)
    result = transfer_style(content, style, config=config, progress=False)
    row = evaluate(result, content, style, pitch=False)
    assert list(row) == [measure.name for measure in MEASURES]
    if phase == "waveform":
        assert np.isnan(row["spectral_convergence_db"])
    else:
        assert row["spectral_convergence_db"] == pytest.approx(result.convergence[-1], abs=1e-3)
    assert 0 < row["style_share_limit"] < 1
    assert row["content_share_limit"] > 0


def test_fresh_filters_are_none_that_was_optimised():
    ours = fresh_encoder(8).filters(4)
    for seed in range(20):
        assert not torch.equal(ours, RandomEncoder(8, seed=seed).filters(4))
