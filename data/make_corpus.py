"""Render the synthetic mini corpus of `audiostyle/datasets/bundled/`: ten voices, sixteen sentences, VCTK's layout.

Usage, from anywhere: ``python data/make_corpus.py``. Needs the programs and packages listed in `synthesis.py`.

It stands in for VCTK where no recordings are at hand, and proves nothing about people's voices. As in VCTK's first
24 sentences, all voices read the same text under the same number. Rate, level, pitch, brightness, noise floor and
the silence around a sentence vary from sentence to sentence, in the same way for every voice; room, sample rate,
bandwidth and codec are common to all: none of these can give a voice away. Three voices (p006, p007, p008) are p001,
p003 and p002 with another vocal tract length, so that the corpus has close neighbours, too.
"""

import logging
from pathlib import Path

import numpy as np
from scipy.signal import butter, lfilter, sosfiltfilt
from synthesis import floor_noise, level, resample, room, speak, write_ogg

CORPUS = Path(__file__).resolve().parents[1] / "audiostyle" / "datasets" / "bundled" / "mini_corpus"
SR = 16_000
BAND_HZ = 7000  # the engines differ in their highest frequency: 8 kHz for some, 11 kHz for others
MAX_BYTES = 5_000_000

log = logging.getLogger("make_corpus")

# Written for this repository (CC0).
SENTENCES = (
    "The kettle sings before the house is awake.",
    "Bring two blue cups and the smaller spoon.",
    "A thin fog hid the far side of the bridge.",
    "She paid for the bread and forgot the change.",
    "Nine geese flew over the frozen lake at dusk.",
    "Please move the ladder before somebody falls.",
    "The old clock in the hall is seven minutes slow.",
    "We watched the rain run slowly down the window.",
    "His younger brother plays the cello very quietly.",
    "Fresh paint and warm dust smell of summer.",
    "Nobody could find the key to the garden gate.",
    "They shared an orange on the train to the coast.",
    "A grey cat slept on the pile of unopened letters.",
    "Turn left at the chapel and follow the stream.",
    "The choir began again from the second page.",
    "I would rather walk home than wait for the bus.",
)

# speaker: engine and voice, vocal-tract factor (above 1: shorter tract, higher formants and pitch), rate, mean pitch
# (hertz for Flite's diphone voice, 0-99 for eSpeak NG, None where the engine's own melody is kept).
VOICES = {
    "p001": ("flite:rms", 1.0, 1.0, None),
    "p002": ("flite:awb", 1.0, 1.05, None),
    "p003": ("flite:slt", 1.0, 1.1, None),
    "p004": ("flite:kal16", 1.0, 1.05, 98),
    "p005": ("festival:ked_diphone", 1.0, 0.95, None),
    "p006": ("flite:rms", 1.08, 1.0, None),
    "p007": ("flite:slt", 1.08, 1.1, None),
    "p008": ("flite:awb", 0.93, 1.05, None),
    "p009": ("espeak:en-us+m3", 1.0, 1.0, 38),
    "p010": ("espeak:en-us+f2", 1.0, 1.0, 45),
}


def utterance(speaker, number):
    """Speak one sentence; returns y at `SR`, levelled, with a little silence on both sides."""
    voice, tract, rate, pitch = VOICES[speaker]
    rng = np.random.default_rng([number, 7])  # one sequence for all speakers
    tempo, tune, gain_db = rng.normal(1.0, 0.05), rng.normal(0.0, 3.0), rng.uniform(-3.0, 3.0)
    before, after = rng.uniform(0.1, 0.35, size=2)
    tilt, mood, noise_db = rng.uniform(-0.6, 0.6), rng.normal(1.0, 0.015), rng.uniform(-58.0, -36.0)
    pitch = None if pitch is None else round(pitch + tune)
    y, sr = speak(SENTENCES[number - 1], voice, stretch=rate * tempo * tract * mood, pitch=pitch)
    y = resample(y, round(sr * tract * mood / 50) * 50, SR)  # played faster: pitch and formants move together
    y = sosfiltfilt(butter(6, BAND_HZ, fs=SR, output="sos"), y)
    y = lfilter([1.0, -tilt], [1.0], y)  # louder speech is brighter, a turned head darker
    y = level(y, rms=0.05 * 10 ** (gain_db / 20), peak=0.85)
    y = room(np.pad(y, (round(before * SR), round(after * SR))), SR, seed=5)
    return y + floor_noise(len(y), seed=[number, int(speaker[1:])], level_db=noise_db)


def main():
    """Render all utterances and check the size of the whole."""
    total = seconds = 0
    for speaker in VOICES:
        for number in range(1, len(SENTENCES) + 1):
            y = utterance(speaker, number)
            path = CORPUS / "wav48" / speaker / f"{speaker}_{number:03d}.ogg"
            write_ogg(path, y, SR, quality=0.6)
            total += path.stat().st_size
            seconds += len(y) / SR
        log.info("%s: %s, %.1f s and %.2f MB so far", speaker, VOICES[speaker][0], seconds, total / 1e6)
    text = "".join(f"{number:03d} {sentence}\n" for number, sentence in enumerate(SENTENCES, 1))
    (CORPUS / "sentences.txt").write_text(text, encoding="utf-8")
    if total > MAX_BYTES:
        raise RuntimeError(f"the corpus has {total} bytes; at most {MAX_BYTES} are allowed")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
