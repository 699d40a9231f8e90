"""Note data of the known targets: melodies and settings that `make_clips.py --truth` plays on two instruments each.

The melodies are traditional or by composers who died in 1882 or earlier, so in the public domain everywhere. They were
written down for this repository, without an edition, in the notation of `synthesis.read_score`; second voices and
four-part settings are our own where no composer is named. All of it is CC0.
"""

from dataclasses import dataclass

from synthesis import Part, pitch_number, read_score

# Crescendo and diminuendo of a phrase, (beat, expression), the same for every tune and instrument: accents and dynamics
# of a known target are those of its content.
PHRASE = ((0, 0.8), (3, 0.95), (6, 0.78), (10, 1.0), (14, 0.8), (18, 1.0), (24, 0.85), (36, 0.9))


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program, the way it is played, and what it can play.

    program : General MIDI program, counted from zero
    kind : struck, plucked, bowed or blown
    low, high : names of the lowest and highest sounding pitch
    length, vibrato, swell : see `synthesis.Part`
    """

    program: int
    kind: str
    low: str
    high: str
    length: float = 0.97
    vibrato: float = 0.0
    swell: float = 0.0


INSTRUMENTS = {
    "piano": Instrument(0, "struck", "A0", "C8"),
    "vibraphone": Instrument(11, "struck", "F3", "F6", length=1.3),
    "marimba": Instrument(12, "struck", "A2", "C7"),
    "organ": Instrument(19, "blown", "C2", "C7", length=0.92),
    "accordion": Instrument(21, "blown", "F2", "A6", length=0.92, swell=0.1),
    "guitar": Instrument(24, "plucked", "E2", "B5", length=1.15),
    "violin": Instrument(40, "bowed", "G3", "A7", length=1.02, vibrato=18, swell=0.4),
    "viola": Instrument(41, "bowed", "C3", "E6", length=1.02, vibrato=16, swell=0.4),
    "cello": Instrument(42, "bowed", "C2", "A5", length=1.02, vibrato=14, swell=0.4),
    "harp": Instrument(46, "plucked", "C1", "G7", length=1.4),
    "strings": Instrument(48, "bowed", "C2", "A6", length=1.0, swell=0.2),
    "trumpet": Instrument(56, "blown", "E3", "C6", length=0.9, vibrato=8, swell=0.2),
    "horn": Instrument(60, "blown", "B1", "F5", length=0.95, vibrato=4, swell=0.2),
    "oboe": Instrument(68, "blown", "Bb3", "A6", length=0.95, vibrato=12, swell=0.25),
    "bassoon": Instrument(70, "blown", "Bb1", "Eb5", length=0.92, vibrato=6, swell=0.2),
    "clarinet": Instrument(71, "blown", "D3", "Bb6", length=0.95, vibrato=4, swell=0.2),
    "flute": Instrument(73, "blown", "C4", "D7", length=0.95, vibrato=12, swell=0.3),
    "banjo": Instrument(105, "plucked", "C3", "C6", length=1.0),
}


@dataclass(frozen=True)
class Tune:
    """A tune: where it comes from, quarter notes a minute, one line of notes per voice."""

    source: str
    bpm: int
    voices: tuple


TUNES = {
    # --- one voice ---------------------------------------------------------------------------------------------------
    "auld_lang_syne": Tune(
        "Auld Lang Syne, traditional, Scottish, 18th century",
        104,
        (
            "C4/1 | F4/1.5! F4/.5 F4/1 A4 | G4/1.5! F4/.5 G4/1 A4 | F4/1.5! F4/.5 A4/1 C5 | D5/3! D5/1 | "
            "C5/1.5! A4/.5 A4/1 F4 | G4/1.5! F4/.5 G4/1 A4",
        ),
    ),
    "scarborough_fair": Tune(
        "Scarborough Fair, traditional, English",
        120,
        (
            "G3/2! G3/1 | D4/2! D4/1 | A3/1.5! Bb3/.5 A3/1 | G3/3! | D4/1 D4 F4 | G4/2! F4/1 | D4! E4 C4 | "
            "D4/2! G4/1",
        ),
    ),
    "drowsy_maggie": Tune(
        "Drowsy Maggie, traditional reel, Irish",
        104,
        (
            2
            * (
                "E4/.5! B4/.25 E4 D5! E4 B4 E4 | E4/.5! B4/.25 E4 A4! F#4 D4 F#4 | "
                "E4/.5! B4/.25 E4 D5! E4 B4 E4 | B4! A4 B4 C#5 D5! A4 F#4 D4 | "
            ),
        ),
    ),
    "sakura": Tune(
        "Sakura, traditional, Japanese",
        96,
        ("D5/1! D5 E5/2 | D5/1! D5 E5/2 | D5/1! E5 F5 E5 | D5! E5/.5 D5 Bb4/2",),
    ),
    "irish_washerwoman": Tune(
        "The Irish Washerwoman, traditional jig, Irish",
        150,
        (
            "D5/.5? C5? | B4! G4 G4 D4 G4 G4 | B4! G4 B4 D5 C5 B4 | C5! A4 A4 E4 A4 A4 | C5! A4 C5 E5 D5 C5 | "
            "B4! G4 G4 D4 G4 G4 | B4! G4 B4 D5 C5 B4 | C5! B4 C5 A4 D5 C5 | B4! G4 G4 G4/1",
        ),
    ),
    "wenceslas": Tune(
        "Tempus adest floridum (Good King Wenceslas), Piae Cantiones, 1582",
        132,
        ("G4/1! G4 G4 A4 | G4! G4 D4/2 | E4/1! D4 E4 F#4 | G4/2! G4 | G4/1! G4 G4 A4 | G4! G4 D4/2",),
    ),
    "simple_gifts": Tune(
        "Simple Gifts, Joseph Brackett (1797-1882), 1848",
        108,
        (
            "C4/.5? C4? | F4/1! F4/.5 G4 A4! F4 A4 Bb4 | C5/1! C5/.5 Bb4 A4/1 G4/.5 F4 | G4/1! G4 G4 F4 | "
            "G4/.5! A4 G4 E4 C4/1 C4",
        ),
    ),
    "drunken_sailor": Tune(
        "Drunken Sailor, traditional shanty, 19th century",
        100,
        (
            "A2/.5! A2/.25 A2 A2/.5 A2/.25 A2 | A2/.5! D2 F2 A2 | G2/.5! G2/.25 G2 G2/.5 G2/.25 G2 | "
            "G2/.5! C2 E2 G2 | A2/.5! A2/.25 A2 A2/.5 A2/.25 A2 | A2/.5! B2 C3 D3 | C3! A2 G2 E2 | D2/1! D2",
        ),
    ),
    "si_bheag": Tune(
        "Si Bheag Si Mhor, Turlough O'Carolan (1670-1738)",
        112,
        (
            "D5/.5? E5? | F#5/1.5! E5/.5 D5/1 | D5! D5/.5 E5 D5/1 | B4/2! A4/1 | F#4/2! A4/1 | "
            "B4/.5! A4 B4 C#5 D5/1 | E5/2! D5/.5 E5",
        ),
    ),
    "dies_irae": Tune(
        "Dies irae, plainchant, 13th century",
        96,
        ("F2/1! E2 F2 D2 | E2! C2 D2 D2 | F2! F2 G2 F2 | E2! D2 C2 E2",),
    ),
    "korobeiniki": Tune(
        "Korobeiniki, traditional, Russian, 19th century",
        132,
        (
            "E5/1! B4/.5 C5 D5/1 C5/.5 B4 | A4/1! A4/.5 C5 E5/1 D5/.5 C5 | B4/1.5! C5/.5 D5/1 E5 | "
            "C5! A4 A4/1.5 A4/.5 | D5/1.5! F5/.5 A5/1 G5/.5 F5",
        ),
    ),
    "swallowtail_jig": Tune(
        "The Swallowtail Jig, traditional, Irish",
        150,
        (
            "G4/.5! E4 E4 B4 E4 E4 | G4! E4 E4 B4 A4 G4 | F#4! D4 D4 A4 D4 D4 | D5! C#5 D5 A4 G4 F#4 | "
            "G4! E4 E4 B4 E4 E4 | G4! E4 G4 B4/1 C#5/.5 | D5! C#5 D5 A4 G4 F#4 | G4! E4 E4 E4/1.5",
        ),
    ),
    "soldiers_joy": Tune(
        "Soldier's Joy, traditional reel, 18th century",
        100,
        (
            "F#4/.25 G4 | A4! F#4 D4 F#4 A4! F#4 D4 F#4 | A4/.5! D5 D5 C#5/.25 B4 | "
            "A4! F#4 D4 F#4 A4! F#4 D4 F#4 | G4/.5! E4 E4 F#4/.25 G4 | A4! F#4 D4 F#4 A4! F#4 D4 F#4 | "
            "A4/.5! D5 D5 D5/.25 E5 | F#5! E5 D5 F#5 E5! D5 C#5 E5 | D5/.5! D5 D5/1",
        ),
    ),
    "amazing_grace": Tune(
        "New Britain (Amazing Grace), 1829",
        104,
        ("D4/1? | G4/2! B4/.5 G4 | B4/2! A4/1 | G4/2! E4/1 | D4/2! D4/1 | G4/2! B4/.5 G4",),
    ),
    "marseillaise": Tune(
        "La Marseillaise, Claude Joseph Rouget de Lisle (1760-1836), 1792",
        112,
        (
            "G3/.75 G3/.25 | C4/1! C4 D4 D4 | G4/1.5! E4/.5 C4/.75 C4/.25 E4/.75 C4/.25 | "
            "A3/1! F4/2 D4/.75 B3/.25 | C4/3! C4/.75 D4/.25 | E4/1! E4",
        ),
    ),
    "rakes_of_mallow": Tune(
        "The Rakes of Mallow, traditional, Irish, 18th century",
        110,
        (
            "G4/.5! B4 G4 B4 | G4! B4 C5/.25 B4 A4 G4 | F#4/.5! A4 F#4 A4 | F#4! A4 B4/.25 A4 G4 F#4 | "
            "G4/.5! B4 G4 B4 | G4! B4 D5/1 | C5/.25! B4 A4 G4 D5/.5 F#4 | G4! G4 G4/1 | G4/.5! B4 G4 B4",
        ),
    ),
    "god_rest_ye": Tune(
        "God Rest Ye Merry, traditional, English, 17th century",
        108,
        ("E3/1? | E3! B3 B3 A3 | G3! F#3 E3 D3 | E3! F#3 G3 A3 | B3/3! E3/1",),
    ),
    "cucaracha": Tune(
        "La Cucaracha, traditional, Spanish and Mexican, 19th century",
        126,
        (
            "C5/.5 C5 C5 | F5/1.5! A5/1 C5/.5 C5 C5 | F5/1.5! A5/2.5 | F5/1! F5/.5 E5 E5 D5 D5/1 | "
            "C5/2.5! C5/.5 C5 C5 | E5/1.5! G5/1 C5/.5 C5 C5",
        ),
    ),
    "oh_susanna": Tune(
        "Oh! Susanna, Stephen Foster (1826-1864), 1848",
        120,
        (
            "C4/.5? D4? | E4/1! G4 G4/1.5 A4/.5 | G4/1! E4 C4/1.5 D4/.5 | E4/1! E4 D4 C4 | D4/3! C4/.5 D4 | "
            "E4/1! G4",
        ),
    ),
    "frere_jacques": Tune(
        "Frere Jacques, traditional, French, 18th century",
        112,
        ("F2/1! G2 A2 F2 | F2! G2 A2 F2 | A2! Bb2 C3/2 | A2/1! Bb2 C3/2 | C3/.5! D3",),
    ),
    # --- two voices --------------------------------------------------------------------------------------------------
    "ah_vous_dirai_je": Tune(
        "Ah! vous dirai-je, maman, traditional, French, 1761; our second voice",
        116,
        (
            "C4/1! C4 G4 G4 | A4! A4 G4/2 | F4/1! F4 E4 E4 | D4! D4 C4/2 | G4/1! G4",
            "C3/.5 G3 E3 G3 C3 G3 E3 G3 | C3 A3 F3 A3 C3 G3 E3 G3 | B2 G3 D3 G3 C3 G3 E3 G3 | "
            "B2 F3 D3 F3 C3 G3 E3 G3 | C3 G3 E3 G3",
        ),
    ),
    "folia": Tune(
        "La Folia, 17th century: its ground, our own variation",
        120,
        (
            "D4/1 D4/1.5! E4/.5 | C#4/1 C#4/1.5! D4/.5 | D4/1 D4/1.5! F4/.5 | E4/1 E4/1.5! F4/.5 | "
            "F4/1 F4/1.5! G4/.5 | E4/1 E4/1.5! F4/.5",
            "D3/.5! A3 F3 A3 D3 A3 | A2! E3 A2 E3 G3 E3 | D3! A3 F3 A3 D3 A3 | C3! G3 C3 G3 E3 G3 | "
            "F3! C4 A3 C4 F3 C4 | C3! G3 C3 G3 E3 G3",
        ),
    ),
    "invention_1": Tune(
        "Johann Sebastian Bach (1685-1750), Invention in C major, BWV 772, first four bars",
        100,
        (
            "r/.25 C4 D4 E4 F4! D4 E4 C4 G4/.5! C5 B4 C5 | D5/.25! G4 A4 B4 C5! A4 B4 G4 D5/.5! G5 F5 G5 | "
            "E5/.25! A5 G5 F5 E5! G5 F5 A5 G5! F5 E5 D5 C5! E5 D5 F5 | "
            "E5! D5 C5 B4 A4! C5 B4 D5 C5! B4 A4 G4 F#4! A4 G4 B4",
            "r/2 r/.25 C3 D3 E3 F3! D3 E3 C3 | G3/.5! G2 r/1 r/.25 G3 A3 B3 C4! A3 B3 G3 | "
            "C4/.5! B3 C4 D4 E4 G3 A3 B3 | C4! E3 F#3 G3 A3 B3 C4/1",
        ),
    ),
    "alla_turca": Tune(
        "Wolfgang Amadeus Mozart (1756-1791), Rondo alla turca, K. 331, first eight bars, without graces",
        104,
        (
            "B4/.25 A4 G#4 A4 | C5/.5! r D5/.25 C5 B4 C5 | E5/.5! r F5/.25 E5 D#5 E5 | "
            "B5! A5 G#5 A5 B5! A5 G#5 A5 | C6/1! A5/.5 C6 | B5! A5 G5 A5 | B5! A5 G5 A5 | B5! A5 G5 F#5 | E5/1!",
            "r/1 | A3/.5! C4+E4 C4+E4 C4+E4 | A3! C4+E4 C4+E4 C4+E4 | A3! C4+E4 A3 C4+E4 | "
            "A3! C4+E4 C4+E4 C4+E4 | E3! B3+E4 B3+E4 B3+E4 | E3! B3+E4 B3+E4 B3+E4 | E3! B3+E4 B2 B3+D#4 | E3/1!",
        ),
    ),
    # --- four voices -------------------------------------------------------------------------------------------------
    "old_hundredth": Tune(
        "Old Hundredth, Loys Bourgeois (c. 1510-1560), 1551; our setting",
        92,
        (
            "G4/1! G4 F#4 E4 D4! G4 A4 B4 | B4! B4 B4 A4 G4! C5 B4 A4",
            "D4/1 D4 D4 B3 B3 D4 F#4 G4 | G4 G4 G4 F#4 E4 E4 G4 F#4",
            "B3/1 B3 A3 G3 G3 B3 D4 D4 | D4 D4 D4 D4 B3 A3 D4 D4",
            "G3/1! G3 D3 E3 G2! G3 D3 G2 | G2! G3 G3 D3 E3! A2 G2 D3",
        ),
    ),
    "es_ist_ein_ros": Tune(
        "Es ist ein Ros entsprungen, setting reduced from Michael Praetorius (1571-1621), 1609",
        110,
        (
            "C5/2! C5/1 C5 D5! C5 C5/2 A4 | Bb4/2! A4/1 G4/1.5 F4/.5 F4/1 E4 F4/2",
            "A4/2 A4/1 F4 F4 F4 E4/2 F4 | F4/2 F4/1 D4/1.5 D4/.5 C4/1 C4 C4/2",
            "C4/2 C4/1 A3 Bb3 A3 G3/2 D4 | D4/2 C4/1 Bb3/1.5 A3/.5 G3/1 G3 A3/2",
            "F3/2! F3/1 F3 Bb2! F3 C3/2 D3 | Bb2/2! F3/1 G3/1.5 D3/.5 C3/1 C3 F2/2",
        ),
    ),
    "ode_to_joy": Tune(
        "Ludwig van Beethoven (1770-1827), Ode to Joy, 1824; our setting",
        108,
        (
            "F#4/1! F#4 G4 A4 | A4! G4 F#4 E4 | D4! D4 E4 F#4 | F#4/1.5! E4/.5 E4/2 | F#4/1! F#4",
            "D4/1 D4 D4 F#4 | E4 E4 D4 C#4 | A3 A3 B3 D4 | D4/1.5 C#4/.5 C#4/2 | D4/1 D4",
            "A3/1 A3 B3 D4 | C#4 C#4 A3 A3 | F#3 F#3 G3 A3 | A3/1.5 A3/.5 A3/2 | A3/1 A3",
            "D3/1! D3 G2 D3 | A2! A2 D3 A2 | D3! D3 G2 D3 | A2/1.5! A2/.5 A2/2 | D3/1! D3",
        ),
    ),
    "adeste_fideles": Tune(
        "Adeste fideles, John Francis Wade (c. 1711-1786), 1751; our setting",
        120,
        (
            "G4/1 | G4/2! D4/1 G4 | A4/2! D4 | B4/1! A4 B4 C5 | B4/2! A4/1 G4 | G4/2! F#4/1 E4",
            "D4/1 | D4/2 B3/1 D4 | F#4/2 A3 | G4/1 F#4 G4 G4 | G4/2 F#4/1 D4 | E4/2 D4/1 C#4",
            "B3/1 | B3/2 G3/1 B3 | D4/2 F#3 | D4/1 D4 D4 E4 | D4/2 D4/1 B3 | B3/2 A3/1 A3",
            "G2/1 | G3/2! G2/1 G3 | D3/2! D3 | G3/1! D3 G3 C3 | G3/2! D3/1 B2 | E3/2! D3/1 A2",
        ),
    ),
}


def parts(tune, instrument):
    """Parts for `synthesis.render` of a tune on an instrument, in its own manner but with the tune's accents.

    Raises ValueError if a note is out of the instrument's range.
    """
    player = INSTRUMENTS[instrument]
    pitches = [p for line in TUNES[tune].voices for note in read_score(line) for p in note.pitches]
    if min(pitches) < pitch_number(player.low) or max(pitches) > pitch_number(player.high):
        raise ValueError(
            f"{tune} reaches from {min(pitches)} to {max(pitches)} (MIDI), beyond the {instrument}, "
            f"{player.low} to {player.high}"
        )
    return tuple(
        Part(
            line,
            player.program,
            velocity=92 if voice == 0 else 82,
            shape=PHRASE,
            length=player.length,
            vibrato=player.vibrato,
            swell=player.swell,
            timing=0.008,
        )
        for voice, line in enumerate(TUNES[tune].voices)
    )
