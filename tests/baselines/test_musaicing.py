import numpy as np

from audiostyle.baselines.musaicing import activations, nmf_musaicing
from audiostyle.measures.content import chroma_similarity
from audiostyle.measures.timbre import mfcc_frechet_distance

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


def tones(pitches):
    """A second of each pitch, a note number, with three partials."""
    t = np.arange(SR) / SR
    waves = [2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t for p in pitches]
    return np.concatenate([0.1 * sum(np.sin(h * w) / h for h in (1, 2, 3)) for w in waves]).astype(np.float32)


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
