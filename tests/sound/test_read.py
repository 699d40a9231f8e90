"""Reading: what comes is counted, what is missing is said."""

import numpy as np
import pytest
import soundfile

from audiostyle.sound.read import Store, open_sound

SR = 22050


@pytest.mark.parametrize("most", [16, 1 << 20])
def test_a_store_gives_back_what_was_added_from_memory_and_from_a_file(rng, monkeypatch, most):
    monkeypatch.setattr("audiostyle.sound.read._IN_MEMORY", most)
    y = rng.standard_normal((3, 1000)).astype(np.float32)
    with Store(3) as store:
        for start in range(0, 1000, 300):
            store.append(y[:, start : start + 300])
        sound = store.sound(SR)
        assert np.array_equal(sound.read(250, 750), y[:, 250:750])
        assert np.array_equal(np.concatenate([*sound.blocks(128)], axis=1), y)
        assert sound.read(1000, 1000).shape == (3, 0)


def test_what_is_missing_is_said_and_the_rest_is_there(tmp_path, rng):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * rng.standard_normal(2 * SR), SR)
    path.write_bytes(path.read_bytes()[: 44 + 2 * SR])
    with open_sound(path) as (sound, form, notes):
        assert (sound.n_samples, *form) == (SR, SR, 1, "PCM_16")
    assert notes == [f"{path} is cut short: 2.00 s are announced, 1.00 s are there."]
