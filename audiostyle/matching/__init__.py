"""Matched timbre: the content's notes, with the sound that the style has for notes like them.

1. *Describe.* The style is transposed by −18 … 18 semitones, so that a note of the content finds its like. A frame is
   described by what a timbre hardly changes: the fine structure, which is where its partials are; the course, which is
   how every band moves over a quarter of a second; the age of its note.
2. *Match.* The log weight of frame s of the transposed style for frame t of the content is
   ``20 cos(fine) + 4 cos(course) − 3 |Δ log age| − 0.2 |semitones|``. Levels in 80 mel bands are expected to be the
   weighted mean of the 120 best frames: kernel regression (Nadaraya 1964, Watson 1964). Where the partials of the best
   are little alike, those of the equalised content stand in; what an average loses at the peaks is given back; what
   lies near a band's quietest level is the content's own noise and is not lifted.
3. *Gain.* The difference of levels is a gain on the content's *complex* transform: no phase to be found, any sample
   rate, any number of channels.

Time is linear in the content's length; of a style longer than 23 s a thousand frames are used (`describe.Library`).
``python -m experiments.fit_matching`` says what each of the `match.Constants` is worth and keeps them; from far away
its search stops half a decibel farther from the truth.
"""

from audiostyle.matching.describe import HOP, N_BANDS, SEMITONES, SR, Clip, Description, describe, transposed
from audiostyle.matching.gain import Gain, filtered
from audiostyle.matching.match import LEVEL, Match, match_blocks, match_timbre

__all__ = [
    "HOP", "LEVEL", "N_BANDS", "SEMITONES", "SR", "Clip", "Description", "Gain", "Match", "describe", "filtered",
    "match_blocks", "match_timbre", "transposed",
]  # fmt: skip
