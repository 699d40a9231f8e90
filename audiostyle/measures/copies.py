"""Whether samples of the style were copied."""

import numpy as np
import scipy.linalg
import scipy.signal


def copied_from(y: np.ndarray, source: np.ndarray, sr: int, *, seconds: float = 1.0) -> float:
    """Compute the largest normalised cross-correlation of a stretch of a clip with any stretch of another.

    Every stretch of `seconds` (half overlapping) is slid along the source; stretches 40 dB under the loudest do not
    count. It finds samples that were copied; the same magnitudes with another phase are no copy to it.

    Parameters
    ----------
    y, source : np.ndarray [shape=(n_samples,)]
        Waveforms.
    sr : int
        Sample rate in Hz.
    seconds : float > 0
        Length of a stretch.

    Returns
    -------
    float
        0 to 1, lower is better; 1 where a stretch of the source, at any level and sign, is in the clip. Steady
        tones of one pitch correlate without having been copied: compare with the row "copy the content".
    """
    n = min(int(seconds * sr), len(y), len(source))
    y, source = (np.asarray(x, dtype=np.float64) for x in (y, source))
    stretches = np.lib.stride_tricks.sliding_window_view(y, n)[:: max(1, n // 2)]
    running = np.concatenate([[0.0], np.cumsum(source**2)])
    local = np.maximum(running[n:] - running[:-n], 0.0)
    own = (stretches**2).sum(axis=1)
    best = 0.0
    for stretch, power in zip(stretches, own, strict=True):
        if power <= 1e-4 * own.max() or power == 0:
            continue
        correlation = scipy.signal.correlate(source, stretch, mode="valid", method="fft")
        loud = local > 1e-4 * local.max()
        best = max(best, float(np.max(np.abs(correlation[loud]) / np.sqrt(local[loud] * power), initial=0.0)))
    return min(best, 1.0)
