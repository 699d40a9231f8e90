import numpy as np
import pytest

from audiostyle.matching import N_BANDS, SEMITONES, describe, match_timbre
from experiments.drawings import show_match


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
    assert alike.shape == (len(said[0].age), len(said[1].age))
