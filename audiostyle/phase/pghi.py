"""Phase-gradient heap integration: an initial phase from the magnitudes alone, without iterating.

For a Gaussian window the phase's partial derivatives are derivatives of the log magnitude; integrating them from
the loudest bins outward gives a phase (Průša, Balazs & Søndergaard 2017, "A noniterative method for reconstruction
of phase from STFT magnitude").
"""

import heapq

import numpy as np

# The Gaussian closest to a Hann window of n_fft samples has the time-frequency ratio _HANN · n_fft² (the paper's
# table of windows).
_HANN = 0.25645
_LEAST = 1e-30


def phase_gradient(S: np.ndarray, hop_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the phase steps along time and frequency that a Gaussian window would give these magnitudes.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes with n_fft = 2 (n_bins - 1) of a Hann window.
    hop_length : int > 0
        Samples between frames.

    Returns
    -------
    along_time, along_frequency : np.ndarray [shape=(n_bins, n_frames), dtype=float64]
        Radians from one frame to the next and from one bin to the next, with the phase counted from the start
        of each window as `audiostyle.spectrogram.stft` does.

    Examples
    --------
    >>> along_time, _ = phase_gradient(np.ones((5, 3)), hop_length=2)
    >>> (along_time[:, 0] / np.pi).tolist()  # a constant spectrogram: each bin turns at its own frequency
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    n_bins, n_frames = S.shape
    n_fft = 2 * (n_bins - 1)
    ratio = _HANN * n_fft**2
    log_S = np.log(np.maximum(S, _LEAST * max(float(S.max()), _LEAST)).astype(np.float64))
    by_bin = np.gradient(log_S, axis=0)
    by_frame = np.gradient(log_S, axis=1) if n_frames > 1 else np.zeros_like(log_S)
    along_time = hop_length * n_fft / ratio * by_bin
    along_time += 2 * np.pi * hop_length / n_fft * np.arange(n_bins)[:, None]
    # Counted from the window's start instead of its centre, neighbouring bins differ by half a turn more.
    along_frequency = -ratio / (hop_length * n_fft) * by_frame - np.pi
    return along_time, along_frequency


def phase_gradient_heap(S: np.ndarray, hop_length: int, *, seed: int = 0, floor: float = 1e-6) -> np.ndarray:
    """Integrate the phase gradient from the loudest bins outward.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes with n_fft = 2 (n_bins - 1) of a Hann window.
    hop_length : int > 0
        Samples between frames. The gradient is exact for dense sampling; hop n_fft / 2 is far from that.
    seed : int
        Seed of the random phase of bins below the floor.
    floor : float > 0
        Bins below this share of the largest magnitude get a random phase.

    Returns
    -------
    np.ndarray [shape=(n_bins, n_frames), dtype=float64]
        Phase in radians; every connected loud region starts at zero.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    n_bins, n_frames = S.shape
    along_time, along_frequency = (g.ravel().tolist() for g in phase_gradient(S, hop_length))
    least = floor * float(S.max())
    loud = (least < S).ravel()
    pending = loud.tolist()
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, S.size)
    phase[loud] = 0.0
    phase = phase.tolist()
    # Plain lists and flat indices: the loop runs once for every bin, and NumPy scalars would triple its time.
    level = (-S.astype(np.float64)).ravel().tolist()
    for start in np.argsort(level, kind="stable").tolist():
        if not pending[start]:
            continue
        pending[start] = False
        heap = [(level[start], start)]
        while heap:
            _, here = heapq.heappop(heap)
            frame = here % n_frames
            neighbours = []
            if frame + 1 < n_frames:
                neighbours.append((here + 1, along_time, 0.5))
            if frame > 0:
                neighbours.append((here - 1, along_time, -0.5))
            if here + n_frames < n_bins * n_frames:
                neighbours.append((here + n_frames, along_frequency, 0.5))
            if here >= n_frames:
                neighbours.append((here - n_frames, along_frequency, -0.5))
            for there, gradient, half in neighbours:
                if pending[there]:
                    phase[there] = phase[here] + half * (gradient[here] + gradient[there])
                    pending[there] = False
                    heapq.heappush(heap, (level[there], there))
    return np.array(phase).reshape(n_bins, n_frames)
