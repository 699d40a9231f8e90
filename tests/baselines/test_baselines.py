import numpy as np
import pytest

from audiostyle.baselines.cross_synthesis import cross_synthesis
from audiostyle.baselines.equaliser import equaliser
from audiostyle.baselines.musaicing import activations, nmf_musaicing
from audiostyle.measures.content import chroma_similarity
from audiostyle.measures.timbre import mfcc_frechet_distance
from tests.signals import SR, tone


def slope(y):
    """Decibels per kilohertz of the long-term spectrum from 2 to 8 kHz."""
    power = np.abs(np.fft.rfft(y)) ** 2
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    low, high = (power[(hz > f - 500) & (hz < f + 500)].mean() for f in (2500, 7500))
    return 10 * np.log10(high / low) / 5


def tilted(y, decibels_per_kilohertz):
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    gain = 10 ** (decibels_per_kilohertz * hz / 1000 / 20)
    return np.fft.irfft(np.fft.rfft(y) * gain, len(y)).astype(np.float32)


@pytest.mark.parametrize(("make", "end", "off"), [(equaliser, None, 1e-5), (cross_synthesis, -2048, 1e-4)])
def test_a_clip_that_is_its_own_style_is_itself(content, make, end, off):
    np.testing.assert_allclose(make(content, content)[:end], content[:end], atol=off)


@pytest.mark.parametrize("tilt", [-4.0, 2.0])
def test_content_takes_the_average_slope_of_the_style_at_whatever_level(rng, tilt):
    content, style = rng.normal(size=(2, 4 * SR)).astype(np.float32)
    for level in (0.01, 1.0):
        y = equaliser(content, level * tilted(style, tilt))
        assert slope(y) == pytest.approx(tilt, abs=0.1)
        # the root mean square of the style at the content's level
        assert y.std() == pytest.approx(content.std(), rel=0.05)


def test_the_filter_is_one_for_all_times(rng):
    """What the style does first and last does not matter, and a part of the content is filtered as the whole."""
    content, style = rng.normal(size=(2, 4 * SR)).astype(np.float32)
    style[: 2 * SR] = tilted(style[: 2 * SR], -5)
    y = equaliser(content, style)
    assert abs(slope(y[: 2 * SR]) - slope(y[2 * SR :])) < 0.15
    swapped = np.concatenate([style[2 * SR :], style[: 2 * SR]])
    assert np.abs(y - equaliser(content, swapped)).std() < 0.03 * y.std()


def test_silence_is_refused_by_name(content):
    for name in ("content", "style"):
        sounds = {"content": content, "style": content} | {name: np.zeros(SR, np.float32)}
        with pytest.raises(ValueError, match=f"{name} is silent"):
            equaliser(**sounds)


def test_cross_synthesis_takes_the_envelope(rng):
    content, style = rng.normal(size=(2, 4 * SR)).astype(np.float32)
    assert slope(cross_synthesis(content, tilted(style[: 2 * SR], -4))) == pytest.approx(-4, rel=0.15)


def test_cross_synthesis_keeps_the_loudness_of_every_moment(rng):
    t = np.arange(4 * SR) / SR
    content = (rng.normal(size=4 * SR) * (0.02 + 0.2 * np.sin(np.pi * t) ** 2)).astype(np.float32)
    style = np.cumsum(rng.normal(size=4 * SR)).astype(np.float32)
    made = cross_synthesis(content, style)
    parts = [[y[i : i + 4096].std() for i in range(4096, 3 * SR, 4096)] for y in (content, made)]
    before, after = 20 * np.log10(parts)
    assert np.ptp(before) > 10
    # frames overlap, and a filtered frame is not that of any signal: a decibel
    np.testing.assert_allclose(after, before, atol=1)


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


def tones(pitches):
    """A second of each pitch, a note number, with three partials."""
    pitches = [440 * 2 ** ((p - 69) / 12) for p in pitches]
    return np.concatenate([sum(tone(h * hz, level=0.1 / h) for h in (1, 2, 3)) for hz in pitches])


def test_transposed_templates_give_a_style_the_notes_that_it_lacks():
    content, style = tones([60, 64, 67, 62]), tones([69, 69, 69])
    plain, moved = (
        chroma_similarity(nmf_musaicing(content, style, transpositions=steps), content, SR)
        for steps in ((0,), range(-12, 1))
    )
    assert plain < 0.5
    assert moved > 0.9


def test_of_too_many_templates_those_that_fit_are_kept():
    content, style = tones([60, 64]), tones([60, 61, 63, 64, 66])
    all_templates = nmf_musaicing(content, style)
    # the frames of the two notes are 43 of 109
    few = nmf_musaicing(content, style, most_templates=43)
    assert chroma_similarity(few, content, SR) > 0.9
    assert not np.array_equal(few, all_templates)
    assert np.array_equal(nmf_musaicing(content, style, most_templates=1000), all_templates)
