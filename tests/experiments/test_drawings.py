"""Drawings show the spectra, features and matches that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from audiostyle.matching import N_BANDS, SEMITONES, describe, match_timbre
from experiments.drawings import draw_gram, show_match, thumbnail


def test_drawings_show_the_result_they_are_given():
    S = np.full((1025, 40), 1e-6)
    S[93] = 1.0  # 1 kHz
    small = thumbnail(S)
    assert small.shape == (60, 120)
    assert small.max() == 1
    row = int(60 * np.log2(1000 / 180) / 5)
    assert abs(int(small[:, 0].argmax()) - row) <= 1
    assert small[row + 5 :].max() == 0
    F = np.arange(7.0 * 30).reshape(7, 30)
    _, features, gram = draw_gram(plt.figure().subplots(), S, F).images
    np.testing.assert_array_equal(features.get_array(), F)
    np.testing.assert_array_equal(gram.get_array(), F @ F.T)


def test_a_match_is_shown_in_decibels(content, style):
    short = style[: len(style) // 2]
    match, said = match_timbre(content, short), (describe(content), describe(short))
    figure = show_match(match, content=said[0], style=said[1], title="a pair")
    panels = {ax.get_title(): ax for ax in figure.axes}
    shown = panels["levels, expected"].images[0].get_array()
    assert shown.shape[0] == N_BANDS
    power = match.bands.numpy()
    np.testing.assert_allclose(shown, 10 * np.log10(np.e) * (power - power.max()), atol=1e-3)
    gain = panels["gain on the content"].images[0].get_array()
    np.testing.assert_allclose(gain, 20 * np.log10(np.exp(match.gain.log_gain.numpy())), atol=1e-3)
    bars = panels["pitches of the style that were used"].patches
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(list(SEMITONES))
    alike = panels["alike in fine structure"].images[0].get_array()
    assert alike.shape == (said[0].fine.shape[1], said[1].fine.shape[1])
