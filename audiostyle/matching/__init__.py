"""Matched timbre: the content's notes, with the sound that the style has for notes like them.

1. *The style at every pitch.* It is transposed by −18 … 18 semitones, so that a note of the content finds its like.
2. *Descriptions that a timbre hardly changes* (`describe`): the fine structure of a frame, which is where its partials
   are; its course, which is how every band moves over a quarter of a second; the age of its latest note.
3. *Match.* The log weight of frame s of the transposed style for frame t of the content is
   ``20 cos(fine) + 4 cos(course) − 3 |Δ log age| − 0.2 |semitones|``. Levels in 80 mel bands are expected to be the
   weighted average of the 120 best frames: kernel regression (Nadaraya 1964, Watson 1964). Many are averaged, as one
   recording of a note is not what the style does in general. Where the partials of the best are little alike, those of
   the equalised content stand in; the strongest bands are raised by what an average loses; what lies near a band's
   quietest level is the content's own noise and is not lifted.
4. *Filter* (`Gain`). The difference of levels is a gain on the content's *complex* transform: no phase to be found,
   any sample rate, any number of channels. Below 1 kHz, where a band is hardly wider than a semitone, most of what it
   does to the pitch classes is given back, ``G + h Σ_k w_k ln(c_k / c'_k)`` with c and c' the classes' shares before
   and after: notes of the style do not shine through, and the balance of a note's partials stays as matched.

Time is linear in the content's length; of a style longer than 23 s a thousand frames are used.
``python -m experiments.fit_matching`` finds the constants again (`match.Constants`).
"""

from audiostyle.matching.describe import HOP, N_BANDS, N_FFT, SR, Clip, Description, describe, transposed
from audiostyle.matching.gain import Gain, filtered
from audiostyle.matching.match import KINDS, LEVEL, SEMITONES, STYLE_FRAMES, Match, match_blocks, match_timbre

__all__ = [
    "HOP",
    "KINDS",
    "LEVEL",
    "N_BANDS",
    "N_FFT",
    "SEMITONES",
    "SR",
    "STYLE_FRAMES",
    "Clip",
    "Description",
    "Gain",
    "Match",
    "describe",
    "filtered",
    "match_blocks",
    "match_timbre",
    "transposed",
]
