import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.datasets.corpora import SOUND_SUFFIXES, load_recordings
from audiostyle.files.one import Part, Sources, transfer_files
from audiostyle.sound.read import load_audio, open_sound
from tests.signals import tone

SR = 8000
# The largest error of a sample that each way of keeping it makes; the others compress.
STEPS = {
    "PCM_U8": 2**-7, "PCM_S8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 0,
    "DOUBLE": 2**-23, "ALAC_16": 2**-15, "ALAC_20": 2**-19, "ALAC_24": 2**-23, "ALAC_32": 2**-23,
}  # fmt: skip
# Formats that do not keep a rate of 8 kHz, and what they make of it.
ODD_RATES = {"XI": 44100}
CODECS = {
    "a.m4a": "aac", "b.m4a": "alac", "a.wma": "wmav2", "c.opus": "libopus", "a.ac3": "ac3", "a.wv": "wavpack",
    "a.mka": "flac", "a.webm": "libopus", "a.tta": "tta", "a.caf": "alac", "a.aac": "aac", "a.mp2": "mp2",
    "a.dts": "dca",
}  # fmt: skip


def written(folder, y):
    """Write a sound in each format that soundfile writes; yield the paths."""
    # RAW has no header, and SD2 has it in another file.
    for kind in sorted({*soundfile.available_formats()} - {"RAW", "SD2"}):
        for subtype in soundfile.available_subtypes(kind):
            path = folder / f"{kind}-{subtype}.{kind.lower()}"
            try:
                soundfile.write(path, y, SR, format=kind, subtype=subtype)
            except soundfile.LibsndfileError:
                path.unlink(missing_ok=True)
                continue
            yield path


def encoded(folder, y):
    """Write a sound by each codec of an installed FFmpeg, at 44.1 kHz in stereo; yield the paths."""
    soundfile.write(folder / "in.wav", np.stack([y, y], axis=1), SR)
    for name, codec in CODECS.items() if shutil.which("ffmpeg") else ():
        rate = 48000 if codec == "libopus" else 44100
        command = f"ffmpeg -v quiet -i {folder}/in.wav -strict -2 -ar {rate} -c:a {codec} {folder}/{name}"
        if not subprocess.run(command.split(), check=False).returncode:
            yield folder / name


def assert_is(heard, path):
    """The file is read as the tone that it holds, with its rate, channels and way of keeping samples."""
    sound, form, notes = open_sound(path)
    y, (kind, _, subtype) = sound.waveform(), path.stem.partition("-")
    if subtype:
        assert (form.sr, form.channels, form.subtype) == (ODD_RATES.get(kind, SR), 1, subtype)
        # blocks of ADPCM are filled up, and SDS loses its last
        assert SR - 60 <= len(y) < SR + 1000
        if (subtype in STEPS and kind != "SDS") or kind == "FLAC":
            assert np.max(np.abs(y[:SR] - heard)) <= STEPS[subtype]
    else:
        assert (form.sr > 40_000, form.channels) == (True, 2)
        assert y.shape[1] / form.sr == pytest.approx(1, abs=0.15)
        y = y[1]
    loudest = np.argmax(np.abs(np.fft.rfft(y, form.sr)))
    assert loudest == pytest.approx(440 * (form.sr / SR if kind in ODD_RATES else 1), abs=2)
    assert not notes


@pytest.mark.filterwarnings("error")
def test_every_format_is_content_style_and_voice(tmp_path):
    folder, heard = tmp_path / "a", tone(sr=SR)
    folder.mkdir()
    paths = [*written(folder, heard), *encoded(folder, heard)]
    assert len(paths) > 80
    output = tmp_path / "result.wav"
    for path in paths:  # at balance 0 the content is only read and written
        assert_is(heard, path)
        sources = Sources(Part(path), (Part(paths[0]),))
        made, _ = transfer_files(sources, output, TransferConfig(balance=0.0), progress=False)
        whole, sr = load_audio(path, sr=None, mono=False)
        assert (made.seconds, made.sr) == (whole.shape[-1] / sr, sr), path.name
        found = load_audio(output, sr=None, mono=False)[0]
        np.testing.assert_allclose(found, whole, atol=2e-2, err_msg=path.name)
    several = Sources(Part(paths[0]), tuple(Part(path, 0.0, 0.08) for path in paths))
    assert transfer_files(several, output, TransferConfig(), progress=False)[0].seconds == 1
    shutil.copytree(folder, tmp_path / "b")
    voices = load_recordings(tmp_path)
    assert not voices.skipped
    names = {path.name for path in paths if path.suffix in SOUND_SUFFIXES}
    assert {path.name for path in voices.paths} - {"in.wav"} == names
