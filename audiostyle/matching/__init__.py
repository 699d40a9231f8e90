"""Matched timbre: the content's notes, with the sound that the style has for notes like them.

1. *The style at every pitch.* It is transposed by −18 … 18 semitones, so that a note of the content finds its like.
2. *Descriptions that a timbre hardly changes* (`describe`): the fine structure of a frame, which is where its partials
   are; its course, which is how every band moves over a quarter of a second; its pitches, as sums over partials; its
   notes, as activations of combs; the age of its latest note.
3. *Match.* The similarity of frame t of the content and frame s of the transposed style is a weighted sum of the
   cosines of these descriptions, less penalties for the difference in age and for the transposition. A softmax over
   the most similar frames gives weights w_ts, and the levels in 80 mel bands are expected to be
   ``Σ_s w_ts (B_s + a_s E_s)``: B_s are the levels of the transposed frame, E_s leads from its spectral envelope back
   to that of the untransposed one. This is kernel regression (Nadaraya 1964, Watson 1964). Low bands, high bands and
   loudness have weights of their own. The expectation is blended with the equalised content, more of it where the
   style has nothing similar.
4. *Filter* (`Gain`). The difference of levels is a gain on the content's *complex* transform: no phase to be found,
   any sample rate, any number of channels. Below 1 kHz, where a band is hardly wider than a semitone, most of what it
   does to the pitch classes is given back, ``G + h Σ_k w_k ln(c_k / c'_k)`` with c and c' the classes' shares before
   and after: notes of the style do not shine through, and the balance of a note's partials stays as matched.

Time is linear in the content's length; of a style longer than 23 s a thousand frames are used. The settings were
chosen on known targets; ``results/paper/matching_settings.csv`` lists what was tried.
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
