"""Download what Table 1 needs of VCTK 0.92 and LibriSpeech, checked and never half.

VCTK is one zip archive of 11 GB, of which the table needs some 100 MB: the members are read out of the remote archive
by HTTP range requests, and compared with its CRCs. Where a server knows no ranges the whole archive is downloaded.
"""

import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pooch
import remotezip
import requests
import urllib3
from tqdm import tqdm

from audiostyle.datasets import paths
from audiostyle.datasets.clips import downloader, unreachable
from audiostyle.system import whole_file

# Edinburgh DataShare, https://doi.org/10.7488/ds/2645, lists this MD5. CC BY 4.0.
VCTK_URL = "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
VCTK_MD5 = "8a6ba2946b36fcbef0212cad601f4bfa"
# https://www.openslr.org/12 lists this MD5 in md5sum.txt. CC BY 4.0.
LIBRISPEECH_URL = "https://www.openslr.org/resources/12/test-clean.tar.gz"
LIBRISPEECH_MD5 = "32fa31d27d2e1cad72775fee3f4849a9"
# The two designs of Table 1: speakers, utterances of each.
VCTK_DESIGNS = ((4, 40), (10, 16))
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
_NETWORK = (remotezip.RemoteZipError, urllib3.exceptions.HTTPError, requests.RequestException)


def fetch_vctk(
    to: str | os.PathLike | None = None,
    *,
    url: str = VCTK_URL,
    md5: str = VCTK_MD5,
    designs: Iterable[tuple[int, int]] = VCTK_DESIGNS,
    progress: bool = True,
) -> Path:
    """Download the utterances of VCTK 0.92 that Table 1 needs, first microphone.

    Files that agree with the archive's CRC are left alone: a second call continues what was interrupted.

    Parameters
    ----------
    to : path or None
        Folder to download into, which is returned; None is ``vctk`` in `audiostyle.datasets.paths.data_dir`.
    url, md5 : str
        The archive and its published checksum, which counts where the whole of it is downloaded.
    designs : iterable of (n_speakers, n_utterances)
        The first so many utterances of the first so many speakers.
    """
    folder = Path(to) if to is not None else paths.data_dir() / "vctk"
    with _named_errors(url), _open_zip(url, md5, folder, progress) as archive:
        members = choose_vctk(archive.namelist(), designs)
        for name in tqdm(members, desc="VCTK", unit="file", disable=not progress):
            # Three parts of a name make a path inside the folder, whatever else it holds.
            info, target = archive.getinfo(name), folder.joinpath(*PurePosixPath(name).parts[-3:])
            if target.exists() and zlib.crc32(target.read_bytes()) == info.CRC:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # Reading to the end compares the CRC.
            with archive.open(info) as source, whole_file(target) as temporary, open(temporary, "wb") as file:
                shutil.copyfileobj(source, file)
    (folder / PurePosixPath(url).name).unlink(missing_ok=True)
    return folder


def fetch_librispeech(
    to: str | os.PathLike | None = None,
    *,
    url: str = LIBRISPEECH_URL,
    md5: str = LIBRISPEECH_MD5,
    progress: bool = True,
) -> Path:
    """Download LibriSpeech test-clean: 40 speakers, 5.4 h, 346 MB. Arguments and errors are those of `fetch_vctk`."""
    folder = Path(to) if to is not None else paths.data_dir() / "librispeech"
    target = folder / "LibriSpeech" / "test-clean"
    if target.is_dir():
        return folder
    with _named_errors(url):
        whole = _download(url, md5, folder, progress)
        # Unpacked beside its place, so that a folder of that name is a whole one.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as beside, tarfile.open(whole) as tar:
            tar.extractall(beside, filter="data")
            target.parent.mkdir(exist_ok=True)
            (Path(beside) / "LibriSpeech" / "test-clean").replace(target)
    whole.unlink()
    return folder


@contextmanager
def _named_errors(url: str) -> Iterator[None]:
    """Turn what libraries raise into a ValueError for a damaged archive and an OSError for the network."""
    try:
        yield
    except (*_DAMAGE, *_NETWORK) as error:
        # zipfile takes any error of the network for damage.
        chain = [error]
        while chain[-1].__context__ is not None:
            chain.append(chain[-1].__context__)
        if any(isinstance(cause, requests.ConnectionError | requests.Timeout) for cause in chain):
            raise OSError(unreachable(url)) from error
        if not isinstance(error, _DAMAGE):
            raise OSError(f"{url} cannot be read: {error}; a second call continues") from error
        raise ValueError(f"{url}: the archive is damaged, or not to be trusted ({error})") from error


def _open_zip(url: str, md5: str, folder: Path, progress: bool) -> zipfile.ZipFile:
    try:
        try:
            return remotezip.RemoteZip(url, timeout=60)
        except remotezip.RemoteIOError:  # some servers know ranges, but none that count from the end
            return remotezip.RemoteZip(url, timeout=60, support_suffix_range=False)
    except remotezip.RangeNotSupported:
        return zipfile.ZipFile(_download(url, md5, folder, progress))


def _download(url: str, md5: str, folder: Path, progress: bool) -> Path:
    """Download an archive that agrees with its MD5, or leave nothing."""
    name = PurePosixPath(url).name
    return Path(pooch.retrieve(url, f"md5:{md5}", fname=name, path=folder, downloader=downloader(progress)))


def choose_vctk(names: Iterable[str], designs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the members of the VCTK archive that the designs need, or say that it holds too few."""
    by_speaker: dict[str, list[str]] = {}
    for name in sorted(names):
        parts = PurePosixPath(name).parts
        if parts[-3:-2] == ("wav48_silence_trimmed",) and ".." not in parts and name.endswith("_mic1.flac"):
            by_speaker.setdefault(parts[-2], []).append(name)
    wanted: dict[str, int] = {}
    for n_speakers, n_utterances in designs:
        if len(by_speaker) < n_speakers:
            raise ValueError(f"the archive holds {len(by_speaker)} speakers of VCTK, {n_speakers} are needed")
        for speaker in sorted(by_speaker)[:n_speakers]:
            wanted[speaker] = max(wanted.get(speaker, 0), n_utterances)
    for speaker, count in wanted.items():
        if (held := len(by_speaker[speaker])) < count:
            raise ValueError(f"the archive holds {held} utterances of {speaker}, {count} are needed")
    return [name for speaker, count in wanted.items() for name in by_speaker[speaker][:count]]
