"""What was computed before is found again under the same settings, and under no others."""

import numpy as np
import pytest

from audiostyle import cache
from audiostyle.cache import cache_key, cached
from audiostyle.config import TransferConfig


def numbers(folder, calls, **settings):
    def compute():
        calls.append(settings)
        return {"x": np.arange(1000.0), "name": np.array("ann")}

    return cached(compute, folder, "numbers", **settings)


def test_the_same_settings_are_computed_once(tmp_path, monkeypatch):
    calls = []
    for config in (TransferConfig(), TransferConfig(), TransferConfig(balance=0.9), TransferConfig()):
        arrays = numbers(tmp_path / "new", calls, config=config)
        np.testing.assert_array_equal(arrays["x"], np.arange(1000.0))
        assert str(arrays["name"]) == "ann"
    assert len(calls) == 2
    monkeypatch.setattr(cache, "VERSION", -1)
    numbers(tmp_path / "new", calls, config=TransferConfig())
    numbers(None, calls, config=TransferConfig())
    assert len(calls) == 4


def test_what_has_no_written_form_is_refused():
    with pytest.raises(TypeError):
        cache_key("numbers", setting=object())


def test_a_damaged_file_is_made_again(tmp_path, rng):
    tmp_path = tmp_path / "kept"
    calls = []
    numbers(tmp_path, calls)
    (file,) = tmp_path.iterdir()
    whole, n_made = file.read_bytes(), 1
    for i in range(60):
        data = bytearray(whole)
        if i < 20:
            data = data[: rng.integers(len(data))]
        for _ in range(3 if data else 0):
            data[rng.integers(len(data)) if i % 2 else rng.integers(min(300, len(data)))] ^= (
                1 << rng.integers(8)
            )
        file.write_bytes(data)
        np.testing.assert_array_equal(numbers(tmp_path, calls)["x"], np.arange(1000.0))
        n_made += 1
    assert n_made / 2 < len(calls) <= n_made  # a flipped bit of a time of day is no damage
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
