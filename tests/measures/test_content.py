import numpy as np
import pytest

from audiostyle.measures.content import chroma_similarity, note_similarity, onset_f_measure
from tests.signals import SR, melody

SCALE = [220, 247, 277, 294, 330, 370, 415, 440]


def clicks(times, seconds=4.0):
    y = np.zeros(int(seconds * SR), dtype=np.float32)
    burst = np.exp(-np.arange(800) / 100) * np.sin(np.arange(800) * 0.5)
    for t in times:
        start = int(t * SR)
        y[start : start + 800] += burst
    return y


def test_chroma_knows_notes_and_not_timbre():
    a, b = melody(SCALE, harmonics=[1]), melody(SCALE, harmonics=[1, 0.3])
    semitone_up = melody([f * 2 ** (1 / 12) for f in SCALE], harmonics=[1])
    octave_up = melody([2 * f for f in SCALE], harmonics=[1])
    assert chroma_similarity(a, a, SR) == pytest.approx(1)
    assert chroma_similarity(octave_up, a, SR) > 0.9
    assert chroma_similarity(b, a, SR) > 0.9
    assert chroma_similarity(semitone_up, a, SR) < 0.5
    assert chroma_similarity(np.zeros_like(a), a, SR) == 0
    half = np.where(np.arange(len(a)) < len(a) // 2, a, 0)
    # A pause counts: half of the frames have no notes to agree with; two at the cut hold a click.
    assert chroma_similarity(half, a, SR) == pytest.approx(0.5, abs=0.1)


def test_onsets_agree_where_and_as_far_as_both_rise():
    times = [0.5, 1.1, 1.9, 2.4, 3.3]
    a = clicks(times)
    assert onset_f_measure(a, a, SR) == pytest.approx(1)
    assert onset_f_measure(0.1 * a, a, SR) == pytest.approx(1)
    assert onset_f_measure(clicks([t + 0.02 for t in times]), a, SR) > 0.6
    assert onset_f_measure(clicks([t + 0.15 for t in times]), a, SR) < 0.1
    # three of five that rise alike, none wrong: precision 1, recall 3/5; tails of the others fall in as well
    assert onset_f_measure(clicks(times[:3]), a, SR) == pytest.approx(2 * 0.6 / 1.6, rel=0.1)
    assert onset_f_measure(np.zeros_like(a), a, SR) == 0


def test_note_similarity_knows_which_notes_and_not_when():
    scale = [4 * f for f in SCALE]  # up where bins are narrower than semitones
    up, down = melody(scale, harmonics=[1]), melody(scale[::-1], harmonics=[1])
    assert note_similarity(down, up, SR) > 0.99
    assert chroma_similarity(down, up, SR) < 0.7
    other = melody([932, 1245, 1397], harmonics=[1])  # B flat, E flat, F: none of the scale's
    assert note_similarity(other, up, SR) < 0.6 * note_similarity(down, up, SR)
    assert note_similarity(np.zeros_like(up), up, SR) == 0
