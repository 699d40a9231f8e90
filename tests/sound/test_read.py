"""Reading: what comes is counted, what is missing is said."""

import soundfile

from audiostyle.sound.read import open_sound

SR = 22050


def test_what_is_missing_is_said_and_the_rest_is_there(tmp_path, rng):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * rng.standard_normal(2 * SR), SR)
    path.write_bytes(path.read_bytes()[: 44 + 2 * SR])
    sound, form, notes = open_sound(path)
    assert (sound.n_samples, *form) == (SR, SR, 1, "PCM_16")
    assert notes == [f"{path} is cut short: 2.00 s are announced, 1.00 s are there."]
