"""Sounds of any length: samples that lie somewhere and are read when they are needed."""

import math
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import soxr

# Samples of each channel that are held at a time, and samples beside a part from which resampling reaches into it.
_STEP, _BESIDE = 1 << 20, 8192
# Bytes up to which a store keeps its samples in memory.
_IN_MEMORY = 1 << 28


class Sound(NamedTuple):
    """Samples that lie somewhere.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns an array [shape=(n_channels, stop - start), dtype=float32].
    n_samples, n_channels, sr : int
        Length, channels and sample rate in Hz.
    """

    read: Callable[[int, int], np.ndarray]
    n_samples: int
    n_channels: int
    sr: int

    @classmethod
    def of(cls, y: np.ndarray, sr: int) -> "Sound":
        """Return a waveform [shape=(n_samples,) or (n_channels, n_samples)] as a sound."""
        channels = np.atleast_2d(y)
        return cls(lambda start, stop: channels[:, start:stop], channels.shape[1], len(channels), sr)

    @classmethod
    def stored(cls, blocks: Iterable[np.ndarray], sr: int) -> "Sound":
        """Keep blocks [shape=(n_channels, n)] that follow each other, in memory or in a file without a name.

        Raises
        ------
        ValueError
            If there is no block.
        """
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        n_channels = n_samples = 0
        try:
            for y in blocks:
                n_channels, n_samples = len(y), n_samples + y.shape[1]
                file.write(np.ascontiguousarray(y.T, dtype=np.float32).tobytes())
            if not n_channels:
                raise ValueError("a sound needs at least one block of samples")
        except BaseException:
            file.close()
            raise

        def read(start: int, stop: int) -> np.ndarray:
            file.seek(4 * n_channels * start)
            data = file.read(4 * n_channels * (min(stop, n_samples) - start))
            return np.frombuffer(data, dtype=np.float32).reshape(-1, n_channels).T.copy()

        weakref.finalize(read, file.close)  # when the last sound that reads it is let go
        return cls(read, n_samples, n_channels, sr)

    def blocks(self, step: int = _STEP) -> Iterator[np.ndarray]:
        """Yield the samples in blocks that follow each other."""
        for start in range(0, self.n_samples, step):
            yield self.read(start, min(start + step, self.n_samples))

    def waveform(self) -> np.ndarray:
        """Return all samples [shape=(n_samples,) of one channel, else (n_channels, n_samples)]."""
        y = np.concatenate(list(self.blocks()), axis=1)
        return y[0] if self.n_channels == 1 else y

    def filtered(self, change: Callable[[np.ndarray], np.ndarray], beside: int = 0) -> "Sound":
        """Return the sound changed whenever it is read; `change` sees so many samples beside what is asked for."""

        def read(start: int, stop: int) -> np.ndarray:
            first = max(0, start - beside)
            y = change(self.read(first, min(self.n_samples, stop + beside)))
            return y[:, start - first : stop - first].astype(np.float32, copy=False)

        return self._replace(read=read)

    def resampled(self, sr: int) -> Iterator[np.ndarray]:
        """Yield the samples at another rate, block by block, as they would be resampled whole."""
        if sr == self.sr:
            yield from self.blocks()
            return
        # Parts begin where a sample of the one rate meets one of the other.
        unit = self.sr // math.gcd(self.sr, sr)
        step, beside = (unit * -(-n // unit) for n in (_STEP, _BESIDE))
        n_new = max(1, round(self.n_samples * sr / self.sr))
        for start in range(0, self.n_samples, step):
            stop = min(start + step, self.n_samples)
            first = max(0, start - beside)
            y = self.read(first, min(self.n_samples, stop + beside))
            z = resample(y, self.sr, sr)
            skipped, begin = (n // unit * (sr * unit // self.sr) for n in (start - first, start))
            end = n_new if stop == self.n_samples else stop // unit * (sr * unit // self.sr)
            yield of_length(z[:, skipped:], end - begin)

    def at(self, sr: int) -> "Sound":
        """Return the sound at another sample rate."""
        return self if sr == self.sr else Sound.stored(self.resampled(sr), sr)


def resample(y: np.ndarray, orig_sr: float, sr: float, *, quality: str = "HQ") -> np.ndarray:
    """Return samples [shape=(..., n_samples)] at another rate, as ``librosa.resample``, whose import takes seconds."""
    n_samples = math.ceil(y.shape[-1] * sr / orig_sr)
    return of_length(np.ascontiguousarray(soxr.resample(y.T, orig_sr, sr, quality).T), n_samples)


def of_length(y: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut samples [shape=(..., any)] to a length, or append zeros."""
    missing = max(0, n_samples - y.shape[-1])
    return np.pad(y[..., :n_samples], [(0, 0)] * (y.ndim - 1) + [(0, missing)])
