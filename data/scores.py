"""Note data of the bundled clips: short reductions of public-domain compositions, and one beat of our own.

Each score is a tuple of `Part`s for `synthesis.render`, with its tempo (quarter notes a minute) and seed. The
compositions are in the public domain everywhere (composers died in 1907 or earlier); the reductions and the playing
directions were written for this repository and are CC0. They are excerpts of ten seconds, arranged for few
instruments; they are not editions of the works.
"""

from synthesis import Part

# General MIDI programs, counted from zero.
PIANO, E_PIANO, CELESTA, GUITAR, BASS = 0, 4, 8, 24, 33
VIOLIN, CELLO, CONTRABASS, TREMOLO, PIZZICATO, HARP, TIMPANI, STRINGS = 40, 42, 43, 44, 45, 46, 47, 48
TRUMPET, TROMBONE, HORN, BRASS, OBOE, BASSOON, CLARINET, PICCOLO, FLUTE = 56, 57, 60, 61, 68, 70, 71, 72, 73

# --- Single instruments -----------------------------------------------------------------------------------------

# Pachelbel, Canon in D (c. 1690), first violin: one statement in quarters, half of one in eighths.
CANON = "F#5/1 E5 D5 C#5 | B4 A4 B4 C#5 | D5/.5! F#5 A5! G5 F#5 D5 F#5! E5"
CANON_SHAPE = ((0, 0.60), (3, 0.85), (4, 0.75), (7, 0.95), (8, 0.9), (10, 1.0), (12, 0.8))

# Anonymous, Greensleeves (16th century), 6/8 counted in eighths: melody, and an accompaniment that stays inside
# the violin's range.
GREENSLEEVES = (
    "A4/1? | C5/2! D5/1 | E5/1.5! F5/.5 E5/1 | D5/2! B4/1 | G4/1.5 A4/.5 B4/1 | "
    "C5/2! A4/1 | A4/1.5 G#4/.5 A4/1 | B4/2! G#4/1 | E4/3"
)
GREENSLEEVES_BASS = (
    "r/1 | A3/1 E4? A4? | C4/1 G4? C5? | G3/1 D4? G4? | B3/1 D4? G4? | "
    "A3/1 E4? A4? | F4/1? C4? A3? | E4/1 B3? E4? | G#3/1 B3? E4?"
)
GREENSLEEVES_SHAPE = ((0, 0.7), (4, 1.0), (10, 0.75), (14, 0.95), (19, 0.85), (25, 0.6))

# Petzold, Minuet in G (c. 1725, in the Notebook for Anna Magdalena Bach).
MINUET = (
    "D5/1! G4/.5 A4 B4 C5 | D5/1! G4? G4? | E5/1! C5/.5 D5 E5 F#5 | G5/1! G4? G4? | "
    "C5/1! D5/.5 C5 B4 A4 | B4/1! C5/.5 B4 A4 G4 | F#4/1! G4/.5 A4 B4 G4 | B4/.5? A4/2.5"
)
MINUET_STOPS = "B3/2 r/1 | r/3 | C4/2 r/1 | B3/2 r/1 | A3/2 r/1 | G3/2 r/1 | D4/2 r/1 | D4/3"
MINUET_SHAPE = ((0, 0.8), (6, 0.9), (11, 1.0), (12, 0.8), (18, 0.95), (24, 0.65))

# Beethoven, Für Elise (1810), in sixteenths.
FUR_ELISE = (
    "E5/1 D#5 | E5! D#5 E5 B4 D5 C5 | A4/3! C4/1? E4 A4 | B4/3! E4/1? G#4 B4 | C5/3! E4/1? E5 D#5 | "
    "E5! D#5 E5 B4 D5 C5 | A4/3! C4/1? E4 A4 | B4/3! E4/1? C5 B4 | A4/6!"
)
FUR_ELISE_LEFT = (
    "r/2 | r/6 | A2/1 E3 A3 r/3 | E2/1 E3 G#3 r/3 | A2/1 E3 A3 r/3 | "
    "r/6 | A2/1 E3 A3 r/3 | E2/1 E3 G#3 r/3 | A2/1 E3 A3 C4 E4 A4"
)
FUR_ELISE_SHAPE = ((0, 1.0),)
FUR_ELISE_PEDAL = (2, 8, 14, 20, 26, 32, 38, 44)


def _bowed(score, shape, **changes):
    settings = dict(velocity=92, shape=shape, length=1.04, vibrato=22, swell=0.45, timing=0.009, reverb=55)
    return Part(score, VIOLIN, **(settings | changes))


SCORES = {
    "violin_canon": (dict(bpm=72, seed=11, room=0.5), (_bowed(CANON, CANON_SHAPE),)),
    "piano_canon": (
        dict(bpm=72, seed=11, room=0.5),
        (
            Part(
                CANON,
                PIANO,
                velocity=78,
                length=0.98,
                timing=0.009,
                pedal=tuple(range(12)),
            ),
        ),
    ),
    "piano_fur_elise": (
        dict(bpm=300, seed=12, room=0.5),
        (
            Part(FUR_ELISE, PIANO, velocity=74, length=0.98, timing=0.008, pedal=FUR_ELISE_PEDAL),
            Part(FUR_ELISE_LEFT, PIANO, velocity=58, length=0.98, timing=0.008, pedal=FUR_ELISE_PEDAL),
        ),
    ),
    "guitar_greensleeves": (
        dict(bpm=150, seed=13, room=0.4),
        (
            Part(GREENSLEEVES, GUITAR, velocity=98, length=1.1, timing=0.010, reverb=40),
            Part(GREENSLEEVES_BASS, GUITAR, velocity=74, length=1.6, timing=0.012, reverb=40),
        ),
    ),
    "violin_greensleeves": (
        dict(bpm=150, seed=13, room=0.4),
        (
            _bowed(GREENSLEEVES, GREENSLEEVES_SHAPE, timing=0.010),
            _bowed(
                GREENSLEEVES_BASS, ((0, 0.62),), velocity=70, volume=66, length=0.95, vibrato=12, timing=0.012
            ),
        ),
    ),
    "violin_minuet": (
        dict(bpm=144, seed=14, room=0.5),
        (
            _bowed(MINUET, MINUET_SHAPE, length=0.97, swell=0.35),
            _bowed(MINUET_STOPS, ((0, 0.6),), velocity=74, volume=70, vibrato=14),
        ),
    ),
}

# --- Orchestra --------------------------------------------------------------------------------------------------

# Grieg, In the Hall of the Mountain King (1875): the theme in B minor and its answer on the fifth.
THEME = (
    "B3/.5! C#4 D4 E4 F#4! D4 F#4/1 | F4/.5! C#4 F4/1 E4/.5! C4 E4/1 | "
    "B3/.5! C#4 D4 E4 F#4! D4 F#4 B4 | A4! F#4 D4 F#4 A4/2! |"
)
ANSWER = (
    "F#4/.5! G#4 A#4 B4 C#5! A#4 C#5/1 | D5/.5! A#4 D5/1 C#5/.5! A#4 C#5/1 | "
    "F#4/.5! G#4 A#4 B4 C#5! A#4 C#5/1 | D5/.5! A#4 D5/1 C#5/2! |"
)
ANSWER_HALF = "F#4/.5! G#4 A#4 B4 C#5! A#4 C#5/1 | D5/.5! A#4 D5/1 C#5/.5! A#4 C#5/1"
MARCH = (
    "B2/1! F#3 B2! F#3 | C#3! F3 C3! E3 | B2! F#3 B2! F#3 | D3! F#3 D3! A2 |"
    "F#2! C#3 F#2! C#3 | F#2! C#3 F#2! C#3"
)
MARCH_CHORDS = (
    "r/.5 D4+F#4 r D4+F#4 r D4+F#4 r D4+F#4 | r C#4+F4 r C#4+F4 r C4+E4 r C4+E4 |"
    "r D4+F#4 r D4+F#4 r D4+F#4 r D4+F#4 | r D4+A4 r D4+A4 r D4+A4 r D4+A4 |"
    "r C#4+A#4 r C#4+A#4 r C#4+A#4 r C#4+A#4 | r D4+A#4 r D4+A#4 r C#4+A#4 r C#4+A#4"
)
TUTTI_CHORDS = (
    "r/1 D4+F#4+B4! r D4+F#4+B4! | r C#4+F4+A4! r C4+E4+A4! | r D4+F#4+B4! r D4+F#4+B4! |"
    "r D4+F#4+A4! r/.5 A3+D4+F#4 A3+D4+F#4/1! | r C#4+F#4+A#4! r C#4+F#4+A#4! |"
    "r D4+F#4+A#4! r C#4+F#4+A#4! | r C#4+F#4+A#4! r C#4+F#4+A#4! | r D4+F#4+A#4! C#4+F#4+A#4/2!"
)
TUTTI_TREMOLO = (
    "D4+F#4/4 | C#4+F4/2 C4+E4 | D4+F#4/4 | D4+A4 | C#4+A#4 | D4+A#4/2 C#4+A#4 | C#4+A#4/4 | D4+A#4/2 C#4+A#4"
)
TUTTI_BASS = (
    "B2/1! r F#2! r | C#3! r C3! r | B2! r F#2! r | D3! r A2! A2 |"
    "F#2! r C#3! r | F#2! r F#2! r | F#2! r C#3! r | F#2! r F#2/2!"
)
TUTTI_DRUMS = "49+36/4! | 36/2 36 | 36/4 | 36/2 36 | 49+36/4! | 36/2 36 | 36/4 | 49+36/2! 49+36!"
TUTTI_TIMPANI = (
    "B2/.5! B2? B2? B2? F#2/1! r | r/4 | B2/.5! B2? B2? B2? F#2/1! r | r/2 A2/.5 A2 A2/1! |"
    "F#2/.5! F#2? F#2? F#2? F#2/1! r | r/4 | F#2/.5! F#2? F#2? F#2? F#2/1! r | "
    "F#2/.25 F#2 F#2 F#2 F#2 F#2 F#2 F#2 F#2/2!"
)

# Tchaikovsky, Dance of the Sugar Plum Fairy (1892): introduction, first phrase, second phrase, 2/4.
FAIRY_1 = (
    "r/.5 G5/.25 E5 G5/.5! F#5 | D#5! E5 D5/.25 D5 D5/.5! | C#5/.25 C#5 C#5/.5! C5/.25 C5 C5/.5! | "
    "B4/.25! E5 C5 E5 B4/.5! r"
)
FAIRY_1_LOW = (
    "r/1 B4+E5/.5 A4+D#5 | F#4+A4 G4+B4 B4/.25 B4 B4/.5 | G4/.25 G4 G4/.5 A4/.25 A4 A4/.5 | G4/1 G4/.5 r"
)
FAIRY_2 = (
    "r/.5 G5/.25 E5 G5/.5! F#5 | C6! B5 G5/.25 G5 G5/.5! | F#5/.25 F#5 F#5/.5! E5/.25 E5 E5/.5! | "
    "D#5/.25! F#5 E5 F#5 D#5/.5! r"
)
FAIRY_2_LOW = (
    "r/1 B4+E5/.5 A4+D#5 | F#4+A4 G4+B4 B4/.25 B4 B4/.5 | A4/.25 A4 A4/.5 G4/.25 G4 G4/.5 | A4/1 F#4+B4/.5 r"
)
PIZZ_INTRO = "E3/.5! E4+G4+B4 E3 E4+G4+B4? | E3! E4+G4+B4 B2 E4+G4+B4? |"
PIZZ_1 = (
    "E3/.5! E4+G4+B4? E3 E4+G4+B4? | E3! E4+G4+B4? G3 D4+G4+B4? | "
    "A#3! C#4+E4+G4? A3 C4+E4+A4? | B3! E4+G4? B2! r |"
)
PIZZ_2 = (
    "E3/.5! E4+G4+B4? E3 E4+G4+B4? | A3! C4+E4+A4? E3 E4+G4+B4? | "
    "D#3! B3+F#4+A4? E3 E4+G4+B4? | B2! D#4+F#4+A4? B2! r |"
)
CLARINET_1 = "r/7 | B3/.125! A#3 A3 G#3 G3 F#3 F3 E3"
CLARINET_2 = "r/7 | F#3/.125! E3 D#3 C#3 B2 A2 G2 F#2 E2/1 r/3"
FAIRY_2_STRINGS = "G3+B3/2 | A3+C4/1 G3+B3 | A3+B3 G3+B3 | F#3+A3/2 | G3+B3/2 | G3+B3"
TUNE = THEME + ANSWER
RISING = ((0, 0.55), (8, 0.7), (16, 0.85), (24, 1.0))
GROWING = ((0, 0.55), (4, 0.7), (8, 0.62), (15, 0.75), (16, 0.8), (24, 0.85), (31, 1.0))
FADING = ((0, 0.9), (6, 0.75), (8, 0.85), (12, 0.6))


def _growing(score, program, **settings):
    return Part(score, program, shape=GROWING, **settings)


SCORES |= {
    "mountain_king_march": (
        dict(bpm=144, seed=21, room=0.75, reverb_level=0.6),
        (
            Part(THEME, BASSOON, velocity=92, volume=104, shape=RISING, length=0.6, vibrato=5, pan=70),
            Part(
                THEME,
                CELLO,
                velocity=88,
                volume=96,
                shape=RISING,
                length=0.55,
                vibrato=8,
                transpose=-12,
                pan=84,
            ),
            Part("r/16 " + ANSWER_HALF, OBOE, velocity=92, volume=96, length=0.6, vibrato=8, pan=56),
            Part("r/16 " + ANSWER_HALF, STRINGS, velocity=84, volume=80, length=0.6, pan=44),
            Part(MARCH, PIZZICATO, velocity=96, volume=104, shape=RISING, pan=90),
            Part(MARCH, CONTRABASS, velocity=76, volume=80, shape=RISING, length=0.4, transpose=-12, pan=92),
            Part(MARCH_CHORDS, PIZZICATO, velocity=70, volume=88, shape=RISING, timing=0.012, pan=40),
            Part(
                "F#3/8 | F#3 | F#3",
                HORN,
                velocity=60,
                volume=62,
                shape=RISING,
                length=0.99,
                vibrato=4,
                pan=50,
            ),
        ),
    ),
    "mountain_king_tutti": (
        dict(bpm=192, seed=22, room=0.65, reverb_level=0.4),
        (
            _growing(
                TUNE, STRINGS, velocity=112, volume=108, length=0.75, transpose=12, timing=0.010, pan=40
            ),
            _growing(TUNE, VIOLIN, velocity=104, volume=84, length=0.75, vibrato=10, transpose=12, pan=34),
            _growing(TUNE, PICCOLO, velocity=96, volume=70, length=0.7, vibrato=6, transpose=12, pan=60),
            _growing(TUTTI_TREMOLO, TREMOLO, velocity=92, volume=84, length=1.0, pan=84),
            _growing(TUTTI_CHORDS, BRASS, velocity=108, volume=88, length=0.45, pan=76),
            _growing(TUTTI_CHORDS, HORN, velocity=100, volume=80, length=0.5, pan=52),
            _growing(TUTTI_BASS, TROMBONE, velocity=104, volume=86, length=0.6, pan=80),
            _growing(TUTTI_BASS, STRINGS, velocity=104, volume=92, length=0.7, transpose=-12, pan=92),
            Part(TUTTI_TIMPANI, TIMPANI, velocity=108, volume=100, pan=64),
            Part(TUTTI_DRUMS, None, velocity=84, volume=56, pan=64),
        ),
    ),
    "sugar_plum_first": (
        dict(bpm=72, seed=23, room=0.7, reverb_level=0.55),
        (
            Part("r/4 " + FAIRY_1, CELESTA, velocity=104, volume=112, length=1.2, pan=56),
            Part("r/4 " + FAIRY_1_LOW, CELESTA, velocity=84, volume=96, length=1.2, pan=60),
            Part(PIZZ_INTRO + PIZZ_1, PIZZICATO, velocity=84, volume=96, timing=0.010, pan=40),
            Part(PIZZ_INTRO + PIZZ_1, PIZZICATO, velocity=64, volume=80, timing=0.016, pan=88),
            Part("r/4 " + CLARINET_1, CLARINET, velocity=100, volume=112, length=1.0, pan=70),
        ),
    ),
    "sugar_plum_second": (
        dict(bpm=72, seed=24, room=0.7, reverb_level=0.55),
        (
            Part(FAIRY_2 + " " + FAIRY_1, CELESTA, velocity=104, volume=112, length=1.2, pan=56),
            Part(FAIRY_2_LOW + " " + FAIRY_1_LOW, CELESTA, velocity=84, volume=96, length=1.2, pan=60),
            Part(PIZZ_2 + PIZZ_1, PIZZICATO, velocity=84, volume=96, timing=0.010, pan=40),
            Part(
                FAIRY_2_STRINGS, STRINGS, velocity=60, volume=62, shape=FADING, length=1.0, swell=0.3, pan=80
            ),
            Part(CLARINET_2, CLARINET, velocity=100, volume=112, length=1.0, pan=70),
        ),
    ),
}

# --- The beat under the rhythmic speech: our own -----------------------------------------------------------------

_BAR_A = "36+42/.25! 42? 42 42? 38+42! 42? 42 36+42? | 42 36+42? 36+42 42? 38+42! 42? 46 42? |"
_BAR_B = "36+42/.25! 42? 42 36+42? 38+42! 42? 42 42? | 36+42 42? 36+42 42? 38+42! 38? 38+46 38? |"
_BASS_A = "A1/.75! A1/.25? r/.5 C2 | D2/.75! A1/.25 r/.5 E2? |"
_BASS_B = "F1/.75! F1/.25? r/.5 A1 | G1/.75! G1/.25 B1/.5 G1 |"
_CHORDS = "A3+C4+E4+G4/1.5? r/.5 A3+D4+F4+C5/1.5 r/.5 | F3+A3+C4+E4/1.5? r/.5 G3+B3+D4+F4/1 G3+B3+E4 |"
SCORES["beat"] = (
    dict(bpm=96, seed=31, room=0.3, reverb_level=0.3),
    (
        Part(_BAR_A + _BAR_B + _BAR_A + _BAR_B, None, velocity=100, volume=104, timing=0.004, reverb=20),
        Part((_BASS_A + _BASS_B) * 2, BASS, velocity=104, volume=110, timing=0.005, reverb=8),
        Part(_CHORDS * 2, E_PIANO, velocity=72, volume=80, length=1.0, timing=0.008, reverb=50),
    ),
)
