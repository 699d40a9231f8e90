"""Every format that can be read goes through content, style and voices."""

import shutil
import subprocess
import warnings

import numpy as np
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.datasets.corpora import SOUND_SUFFIXES, load_recordings
from audiostyle.files.one import Part, Sources, transfer_files
from audiostyle.sound.read import load_audio

SR = 8000
AS_IT_IS = TransferConfig(balance=0.0)
CODECS = {
    "a.m4a": "aac",
    "b.m4a": "alac",
    "a.wma": "wmav2",
    "c.opus": "libopus",
    "a.ac3": "ac3",
    "a.wv": "wavpack",
}


def sounds(folder, y):
    """Write a sound in each format that soundfile writes and FFmpeg, where installed, encodes; yield the paths."""
    for kind in sorted(
        {*soundfile.available_formats()} - {"RAW", "SD2"}
    ):  # no header, and one in another file
        for subtype in soundfile.available_subtypes(kind):
            path = folder / f"{kind}_{subtype}.{kind.lower()}"
            try:
                soundfile.write(path, y, SR, format=kind, subtype=subtype)
            except soundfile.LibsndfileError:
                path.unlink(missing_ok=True)
                continue
            yield path
    if program := shutil.which("ffmpeg"):
        for name, codec in CODECS.items():
            command = [program, "-v", "quiet", "-i", folder / "WAV_FLOAT.wav", "-c:a", codec, folder / name]
            if not subprocess.run(command, check=False).returncode:
                yield folder / name


def test_every_format_is_content_style_and_voice(tmp_path, content):
    folder = tmp_path / "a"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = list(sounds(folder, content[::2][: SR // 2]))
        assert len(paths) > 80
        output = tmp_path / "result.wav"
        for path in paths:  # at balance 0 the content is only read and written
            made, _ = transfer_files(Sources(Part(path), (Part(paths[0]),)), output, AS_IT_IS, progress=False)
            whole, sr = load_audio(path, sr=None)
            assert (made.seconds, made.sr) == (len(whole) / sr, sr), path.name
            np.testing.assert_allclose(load_audio(output, sr=None)[0], whole, atol=2e-2, err_msg=path.name)
        several = Sources(Part(paths[0]), tuple(Part(path, 0.0, 0.08) for path in paths))
        assert transfer_files(several, output, TransferConfig(), progress=False)[0].seconds == 0.5
    shutil.copytree(folder, tmp_path / "b")
    voices = load_recordings(tmp_path)
    assert not voices.skipped
    assert {path.name for path in voices.paths} == {p.name for p in paths if p.suffix in SOUND_SUFFIXES}
