"""Draw README's picture, one bundled pair and the paper's result: ``python -m website.picture``."""

import soundfile

from audiostyle.datasets import paths
from audiostyle.figures.spectrograms import show_spectrograms
from audiostyle.spectrogram import magnitudes
from website.build import sources
from website.places import places
from website.sounds import table

PAIR = "instrument-1"
SHOWN = ("content", "style", "paper")
FILE = paths.root() / "results" / "paper" / "the_paper.png"


def main() -> None:
    """Draw content, style and result from their committed files."""
    place = next(place for place in places() if place.name == PAIR)
    found = sources(place, table())
    spectra = {}
    for name in SHOWN:
        y, sr = soundfile.read(found[name][1], dtype="float32")
        spectra[name.replace("paper", "result, the paper's method")] = magnitudes(y, hop_length=512)
    show_spectrograms(spectra, sr=sr, hop_length=512, min_hz=100.0).savefig(FILE, dpi=100)


if __name__ == "__main__":
    main()
