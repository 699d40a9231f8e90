"""The figure of matched timbre shows the steps of the match it was given."""

import numpy as np
import pytest

from audiostyle.figures.matching import show_match
from audiostyle.matching import N_BANDS, SEMITONES, describe, match_timbre


@pytest.fixture
def figure(content, style):
    match = match_timbre(content, style)
    return match, show_match(match, content=describe(content), style=describe(style), title="a pair")


def _panel(figure, title):
    return next(ax for ax in figure.axes if ax.get_title() == title)


def test_levels_are_under_their_loudest_band_and_the_expected_are_those_of_the_match(figure):
    match, fig = figure
    for name in ("content", "style", "expected"):
        shown = _panel(fig, f"levels, {name}").images[0].get_array()
        assert shown.shape[0] == N_BANDS
        assert shown.max() == 0
    power = match.bands.numpy()
    shown = _panel(fig, "levels, expected").images[0].get_array()
    np.testing.assert_allclose(shown, 10 * np.log10(np.e) * (power - power.max()), atol=1e-3)


def test_gain_is_in_decibels_of_magnitude_and_transpositions_have_their_shares(figure):
    match, fig = figure
    gain = _panel(fig, "gain on the content").images[0].get_array()
    np.testing.assert_allclose(gain, 20 * np.log10(np.exp(match.filter.log_gain.numpy())), atol=1e-3)
    bars = _panel(fig, "pitches of the style that were used").patches
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(list(SEMITONES))
    np.testing.assert_allclose([bar.get_height() for bar in bars], match.semitones, rtol=1e-5)


def test_alike_has_frames_of_the_content_in_rows(content, style):
    short = style[: len(style) // 2]
    said = describe(content), describe(short)
    fig = show_match(match_timbre(content, short), content=said[0], style=said[1])
    shown = _panel(fig, "alike in fine structure").images[0].get_array()
    assert shown.shape == (said[0].fine.shape[1], said[1].fine.shape[1])
