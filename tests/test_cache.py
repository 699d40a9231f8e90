"""What was computed before is found again under the same settings, and under no others."""

import numpy as np
import pytest

from audiostyle import cache
from audiostyle.cache import cached
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
    with pytest.raises(TypeError):  # what has no written form
        numbers(tmp_path / "new", calls, config=object())
    monkeypatch.setattr(cache, "VERSION", -1)
    numbers(tmp_path / "new", calls, config=TransferConfig())
    numbers(None, calls, config=TransferConfig())
    assert len(calls) == 4


def test_a_damaged_file_is_made_again(tmp_path, rng):
    calls = []
    numbers(tmp_path / "kept", calls)
    (file,) = (tmp_path / "kept").iterdir()
    whole, n_made = file.read_bytes(), 1
    for i in range(60):
        data = bytearray(whole)
        if i < 20:
            data = data[: rng.integers(len(data))]
        for _ in range(3 if data else 0):
            most = len(data) if i % 2 else min(300, len(data))
            data[rng.integers(most)] ^= 1 << rng.integers(8)
        file.write_bytes(data)
        np.testing.assert_array_equal(numbers(tmp_path / "kept", calls)["x"], np.arange(1000.0))
        n_made += 1
    assert n_made / 2 < len(calls) <= n_made  # a flipped bit of a time of day is no damage
    assert [path.name for path in file.parent.iterdir()] == [file.name]
