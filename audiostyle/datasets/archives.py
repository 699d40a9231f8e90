"""Download what Table 1 needs of VCTK 0.92 and LibriSpeech, checked and never half.

VCTK is one zip archive of 11 GB, of which the table needs some 100 MB: the members are read out of the remote archive
by HTTP range requests and verified by the archive's CRC. Where a server knows no ranges the whole archive is
downloaded, verified by its published MD5 and unpacked. Whatever was interrupted continues at the next call.
"""

import errno
import hashlib
import http.client
import lzma
import os
import shutil
import struct
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import remotezip
import requests
import urllib3
from tqdm import tqdm

from audiostyle.datasets import paths
from audiostyle.datasets.clips import unreachable
from audiostyle.sound.audio import NAME_BYTES
from audiostyle.sound.files import whole_file

# Edinburgh DataShare, https://doi.org/10.7488/ds/2645, lists size 11 747 302 977 bytes and this MD5. CC BY 4.0.
VCTK_URL = "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
VCTK_BYTES = 11_747_302_977
VCTK_MD5 = "8a6ba2946b36fcbef0212cad601f4bfa"
# https://www.openslr.org/12 lists this MD5 in md5sum.txt. CC BY 4.0.
LIBRISPEECH_URL = "https://www.openslr.org/resources/12/test-clean.tar.gz"
LIBRISPEECH_BYTES = 400_000_000  # 346 MB are published
LIBRISPEECH_MD5 = "32fa31d27d2e1cad72775fee3f4849a9"
# The two designs of Table 1: speakers, utterances of each.
VCTK_DESIGNS = ((4, 40), (10, 16))

_VCTK_FOLDER = "wav48_silence_trimmed"
_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, UnicodeError,
    RuntimeError,
)  # fmt: skip
_NETWORK = (requests.RequestException, TimeoutError, ConnectionError)


def fetch_vctk(
    to: str | os.PathLike | None = None,
    *,
    url: str = VCTK_URL,
    md5: str = VCTK_MD5,
    designs: Iterable[tuple[int, int]] = VCTK_DESIGNS,
    most_bytes: int = VCTK_BYTES,
    progress: bool = True,
) -> Path:
    """Download the utterances of VCTK 0.92 that Table 1 needs, first microphone.

    Files that are present and agree with the archive's CRC are left alone.

    Parameters
    ----------
    to : path or None
        Folder to download into; None is ``vctk`` in `audiostyle.datasets.paths.data_dir`.
    url, md5 : str
        The archive and its published checksum, which counts where the whole of it is downloaded.
    designs : iterable of (n_speakers, n_utterances)
        The first so many utterances of the first so many speakers.
    most_bytes : int
        Size that neither the archive nor what is unpacked of it may exceed.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The folder, in VCTK's layout.

    Raises
    ------
    ValueError
        If the archive is damaged, too large, has the wrong checksum, or names files outside its folder.
    OSError
        If the server does not answer, or the folder cannot be written.
    """
    folder = _folder(to, "vctk")
    try:
        with _named_damage(url):
            if _fetch_members(url, folder, designs, most_bytes, progress):
                return folder
    except (remotezip.RemoteZipError, urllib3.exceptions.HTTPError) as error:
        if isinstance(error.__context__, (requests.ConnectionError, requests.Timeout)):
            raise OSError(unreachable(url)) from error
        raise OSError(f"{url} cannot be read: {error}; a second call continues") from error
    whole = download(url, folder / PurePosixPath(url).name, md5, most_bytes=most_bytes, progress=progress)
    extract_zip(whole, folder, designs, most_bytes=most_bytes, progress=progress)
    whole.unlink()
    return folder


@contextmanager
def _named_damage(archive: str | os.PathLike) -> Iterator[None]:
    """Turn what reading a damaged archive raises into one error that names it."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"{archive}: the archive is damaged ({error})") from error
    except OSError as error:
        # Decompressors raise it without a number, a seek to a place before the beginning with that of an invalid
        # argument; all others come from the disk or the network.
        if error.errno not in (None, errno.EINVAL) or isinstance(error, _NETWORK):
            raise
        raise ValueError(f"{archive}: the archive is damaged ({error})") from error


class _Fetcher(remotezip.RemoteFetcher):
    """Tells a network that is not there from a damaged archive: zipfile takes any OSError for damage."""

    def get_file_size(self) -> int:
        try:
            return super().get_file_size()
        except OSError as error:
            raise remotezip.RemoteIOError(str(error)) from error


def _fetch_members(
    url: str, folder: Path, designs: Iterable[tuple[int, int]], most_bytes: int, progress: bool
) -> bool:
    """Read the members out of the remote archive; False where the server knows no ranges."""
    try:
        archive = remotezip.RemoteZip(url, timeout=_TIMEOUT, fetcher=_Fetcher)
    except remotezip.RangeNotSupported:
        return False
    except remotezip.RemoteIOError:
        # Some servers know ranges, but none that count from the end.
        archive = remotezip.RemoteZip(url, timeout=_TIMEOUT, fetcher=_Fetcher, support_suffix_range=False)
    with archive:
        _extract_vctk(archive, folder, designs, most_bytes, progress)
    return True


def fetch_librispeech(
    to: str | os.PathLike | None = None,
    *,
    url: str = LIBRISPEECH_URL,
    md5: str = LIBRISPEECH_MD5,
    most_bytes: int = LIBRISPEECH_BYTES,
    progress: bool = True,
) -> Path:
    """Download LibriSpeech test-clean: 40 speakers, 5.4 h, 346 MB.

    Parameters
    ----------
    to : path or None
        Folder to download into; None is ``librispeech`` in `audiostyle.datasets.paths.data_dir`.
    url, md5 : str
        The archive and its published checksum.
    most_bytes : int
        Size that it may not exceed.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The folder, which holds ``LibriSpeech/test-clean``.

    Raises
    ------
    ValueError
        If the archive is too large, has the wrong checksum, or names files outside its folder.
    OSError
        If the server does not answer, or the folder cannot be written.
    """
    folder = _folder(to, "librispeech")
    done = folder / f".{md5}.done"
    if done.exists():
        return folder
    whole = download(url, folder / PurePosixPath(url).name, md5, most_bytes=most_bytes, progress=progress)
    extract_tar(whole, folder)
    done.touch()
    whole.unlink()
    return folder


def download(url: str, path: str | os.PathLike, md5: str, *, most_bytes: int, progress: bool = True) -> Path:
    """Download a file, continue one that was interrupted, and give it its name only when its MD5 agrees.

    Parameters
    ----------
    url : str
        Where it is.
    path : path
        Where to put it; meanwhile it is called ``<name>.part``.
    md5 : str
        Published checksum in hexadecimal digits.
    most_bytes : int
        Size that it may not exceed.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ValueError
        If the checksum differs or more bytes come than `most_bytes`; the file is removed, so that the next call
        starts afresh.
    OSError
        If the server does not answer or stops in the middle; what has come is kept for the next call.
    """
    path = Path(path)
    if path.exists() and _md5(path) == md5:
        return path
    part = path.with_name(path.name + ".part")
    try:
        _receive(url, part, most_bytes, progress)
    except ValueError:
        part.unlink(missing_ok=True)
        raise
    found = _md5(part)
    if found != md5:
        part.unlink()
        raise ValueError(
            f"{url}: MD5 {found} differs from the published {md5}; the download was removed, try again"
        )
    part.replace(path)
    return path


def _receive(url: str, part: Path, most_bytes: int, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            resumed = answer.status == http.client.PARTIAL_CONTENT
            start = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length else None
            _check_size(url, total or 0, most_bytes)
            with (
                open(part, "ab" if resumed else "wb") as file,
                tqdm(
                    total=total,
                    initial=start,
                    unit="B",
                    unit_scale=True,
                    desc=part.stem,
                    disable=not progress,
                ) as bar,
            ):
                while chunk := answer.read(_CHUNK):
                    _check_size(url, file.tell() + len(chunk), most_bytes)
                    file.write(chunk)
                    bar.update(len(chunk))
                received = file.tell()
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is missing; the checksum decides
        raise OSError(f"{url} cannot be read: HTTP status {error.code}") from error
    except urllib.error.URLError as error:
        raise OSError(unreachable(url)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise OSError(f"{url} cannot be read: {error}; a second call continues") from error
    if total is not None and received < total:
        raise OSError(f"{url}: {received} of {total} bytes came; a second call continues")


def _check_size(name: object, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise ValueError(
            f"{name}: {size} bytes or more, and at most {most_bytes} are expected; nothing was kept"
        )


def extract_tar(archive: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Unpack the regular files of a tar archive, each whole or not at all.

    Parameters
    ----------
    archive : path
        The archive, compressed or not.
    folder : path
        Where to unpack it. Files of the right size are left alone.

    Raises
    ------
    ValueError
        If the archive is damaged, or a member is a link, has a name that no file can have or lies outside the
        folder; nothing of it is written then.
    """
    folder = Path(folder)
    with _named_damage(archive), tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if not member.isdir()]
        for member in members:
            if not member.isreg():
                raise ValueError(f"{archive}: {member.name} is no regular file; nothing was unpacked")
        targets = _targets(folder, {member.name: member.name for member in members}, archive)
        for member in members:
            target = targets[member.name]
            if target.exists() and target.stat().st_size == member.size:
                continue
            _write(tar.extractfile(member), target)


def extract_zip(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    designs: Iterable[tuple[int, int]] = VCTK_DESIGNS,
    *,
    most_bytes: int = VCTK_BYTES,
    progress: bool = False,
) -> None:
    """Unpack what the designs need of the VCTK archive, each file whole or not at all.

    Parameters
    ----------
    archive, folder : path
        The archive, and where to unpack it. Files that agree with its CRC are left alone.
    designs, most_bytes, progress
        As in `fetch_vctk`.

    Raises
    ------
    ValueError
        If the archive is damaged or holds too little; if what is needed is too large, has a name that no file can
        have or lies outside the folder, nothing of it is written.
    """
    with _named_damage(archive), zipfile.ZipFile(archive) as opened:
        _extract_vctk(opened, Path(folder), designs, most_bytes, progress)


def _extract_vctk(archive: zipfile.ZipFile, folder: Path, designs, most_bytes: int, progress: bool) -> None:
    members = choose_vctk(archive.namelist(), designs)
    # The archive has its folders at the top or below one of its own; the corpus folder stands for either.
    kept = {name: "/".join(PurePosixPath(name).parts[_vctk_depth(name) :]) for name in members}
    _targets(folder, {name: name for name in members}, "the archive")
    targets = _targets(folder, kept, "the archive")
    _check_size("the archive", sum(archive.getinfo(name).file_size for name in members), most_bytes)
    for name in tqdm(members, desc="VCTK", unit="file", disable=not progress):
        info, target = archive.getinfo(name), targets[name]
        if target.exists() and target.stat().st_size == info.file_size and _crc(target) == info.CRC:
            continue
        with archive.open(info) as source:  # reading to the end compares the CRC
            _write(source, target)


def choose_vctk(names: Iterable[str], designs: Iterable[tuple[int, int]]) -> list[str]:
    """Return the members of the VCTK archive that the designs need.

    Parameters
    ----------
    names : iterable of str
        Members of the archive.
    designs : iterable of (n_speakers, n_utterances)
        The first so many utterances of the first so many speakers, sorted by name.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the archive holds too few speakers or utterances.

    Examples
    --------
    >>> names = [f"wav48_silence_trimmed/p{s}/p{s}_00{u}_mic1.flac" for s in (1, 2) for u in (1, 2, 3)]
    >>> [name[-16:] for name in choose_vctk(names, [(1, 3), (2, 1)])]
    ['p1_001_mic1.flac', 'p1_002_mic1.flac', 'p1_003_mic1.flac', 'p2_001_mic1.flac']
    """
    by_speaker: dict[str, list[str]] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        if _VCTK_FOLDER in parts[:-2] and parts[-1].endswith("_mic1.flac"):
            by_speaker.setdefault(parts[-2], []).append(name)
    speakers = sorted(by_speaker)
    wanted: dict[str, int] = {}
    for n_speakers, n_utterances in designs:
        if len(speakers) < n_speakers:
            raise ValueError(f"the archive holds {len(speakers)} speakers of VCTK, {n_speakers} are needed")
        for speaker in speakers[:n_speakers]:
            wanted[speaker] = max(wanted.get(speaker, 0), n_utterances)
    for speaker, count in wanted.items():
        if len(by_speaker[speaker]) < count:
            raise ValueError(
                f"the archive holds {len(by_speaker[speaker])} utterances of {speaker}, {count} are needed"
            )
    return [
        name
        for speaker, count in wanted.items()
        for name in sorted(by_speaker[speaker], key=lambda name: PurePosixPath(name).name)[:count]
    ]


def _folder(to: str | os.PathLike | None, name: str) -> Path:
    folder = Path(to) if to is not None else paths.data_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _vctk_depth(name: str) -> int:
    return PurePosixPath(name).parts.index(_VCTK_FOLDER)


def _targets(folder: Path, names: dict[str, str], archive: object) -> dict[str, Path]:
    """Return where each member goes, and refuse an archive with one that would leave the folder or cannot be a file."""
    root = Path(os.path.realpath(folder))
    targets = {}
    for member, name in names.items():
        if "\0" in name or any(len(os.fsencode(part)) > NAME_BYTES for part in PurePosixPath(name).parts):
            raise ValueError(f"{archive}: {name[:60]!r}… is no name of a file; nothing was unpacked")
        target = Path(os.path.realpath(root / name))
        if PurePosixPath(name).is_absolute() or "\\" in name or root not in target.parents:
            raise ValueError(
                f"{archive}: {name!r} lies outside the folder it is unpacked into; nothing was unpacked"
            )
        targets[member] = target
    folders = {parent for target in targets.values() for parent in target.parents}
    for member, target in targets.items():
        if target in folders or target.is_dir():
            raise ValueError(f"{archive}: {member!r} is a file and a folder; nothing was unpacked")
        if any(parent.exists() and not parent.is_dir() for parent in target.parents):
            raise ValueError(f"{archive}: {member!r} lies below a file of {folder}; nothing was unpacked")
    return targets


def _write(source, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as temporary, open(temporary, "wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _crc(path: Path) -> int:
    value = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value
