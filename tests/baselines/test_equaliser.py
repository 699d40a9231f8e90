import numpy as np
import pytest

from audiostyle.baselines.equaliser import equaliser

SR = 22050


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


def test_a_clip_equalised_to_itself_is_itself(content):
    np.testing.assert_allclose(equaliser(content, content), content, atol=1e-5)


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
