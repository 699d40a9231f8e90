import io

import matplotlib
import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from audiostyle.sound.levels import rms
from audiostyle.widgets.player import SyncPlayer, flac_bytes, png_bytes

SR = 22050


def test_png_has_the_colours_of_the_map_and_its_first_row_at_the_bottom():
    values = np.linspace(-80, 0, 12).reshape(3, 4)
    decoded = imread(io.BytesIO(png_bytes(values, -80, 0, "magma")))
    expected = matplotlib.colormaps["magma"]((values[::-1] + 80) / 80)[..., :3]
    # A step of 8 bits.
    np.testing.assert_allclose(decoded[..., :3], expected, atol=1 / 255 + 1e-6)


def test_flac_loses_nothing_but_the_16th_bit(content):
    decoded, sr = soundfile.read(io.BytesIO(flac_bytes(content, SR)), dtype="float32")
    assert sr == SR
    assert len(decoded) == len(content)
    np.testing.assert_allclose(decoded, content, atol=1 / 2**15)


def test_player_shows_and_plays_what_it_is_given(content, style, samples):
    player = SyncPlayer("Test", {"a": "A", "b": "B"})
    player.show("a", content, SR, note="first")
    slot = player["a"]
    heard = samples(player, "a")
    np.testing.assert_allclose(heard / np.abs(heard).max(), content / np.abs(content).max(), atol=2e-4)
    assert slot["rms"] == pytest.approx(rms(heard), rel=1e-3)
    assert slot["duration"] == pytest.approx(len(content) / SR)
    assert "A".lower() in slot["alt"]
    assert player["b"] == {}
    before = slot["image"]
    player.show("a", style, SR)
    assert player["a"]["image"] != before


def test_difference_picture_has_the_colour_of_the_louder_sound(content):
    """The end of the scale that the page names for it, and as far along as 12 dB of 30 are."""
    player = SyncPlayer("Test", {"d": "D"}, seen="d")
    scale = player.scales[-1]
    assert scale["low"].startswith("content louder")
    assert scale["high"].startswith("result louder")
    colours = matplotlib.colormaps["PuOr_r"](np.arange(256))[:, :3]
    assert [scale["colours"][i] for i in (0, -1)] == [matplotlib.colors.to_hex(colours[i]) for i in (0, -1)]
    for gain, expected in ((4, 12.04), (0.25, -12.04), (1, 0)):
        player.show_difference("d", content, gain * content, SR)
        image = imread(io.BytesIO(player["d"]["image"]))[..., :3].reshape(-1, 1, 3)
        shown = np.abs(image - colours).sum(axis=-1).argmin(axis=1) / 255 * 60 - 30
        # quiet bins are drawn towards the middle, by the floor 60 dB under the peak
        assert shown[np.abs(shown).argmax()] == pytest.approx(expected, abs=60 / 255)
        assert (np.sign(expected) * shown >= -60 / 255).all()
    assert "audio" not in player["d"]


def test_a_slot_is_marked_out_of_date_and_no_other():
    player = SyncPlayer("Test", {"a": "A", "b": "B"})
    for name, stale, expected in (("b", True, [1]), ("b", True, [1]), ("a", False, [1]), ("b", False, [])):
        player.mark(name, stale=stale)
        assert player.stale == expected


def test_picture_keeps_the_loudest_bin_at_the_top_of_the_scale():
    """Of two bins that share a row, the louder one is shown."""
    top, bottom = (matplotlib.colormaps["magma"](i)[:3] for i in (255, 0))
    player = SyncPlayer("Test", {"a": "A"})
    for k in (101, 102):
        t = np.arange(60 * SR)
        y = 0.1 * np.sin(2 * np.pi * k / 2048 * t) * (t // 1024 == 700)  # one short beep in a minute
        player.show("a", y + 1e-9, SR)
        image = imread(io.BytesIO(player["a"]["image"]))[..., :3]
        at_top = np.argwhere(np.abs(image - top).max(axis=-1) < 1 / 255)
        # the first row of the picture is the top of the axis
        assert {len(image) - 1 - row for row, _ in at_top} == {k // 2}
        assert np.abs(image[:, 0] - bottom).max() < 1 / 255
