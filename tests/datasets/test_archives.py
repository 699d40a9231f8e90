import http.server
import io
import tarfile
import zipfile
from hashlib import md5

import pytest

from audiostyle.datasets import archives, corpora
from tests.signals import files_below

# Answers of 404, and connections that broke, are closed when they are forgotten.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
DESIGNS = ((1, 3), (2, 2))
WANTED = {"p225": 3, "p226": 2}
EXPECTED = sorted(
    f"wav48_silence_trimmed/{speaker}/{speaker}_{number:03d}_mic1.flac"
    for speaker, count in WANTED.items()
    for number in range(1, count + 1)
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the server's `body`, with `ranges` or not, and hangs up in the request `breaks_at`."""

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()

    def do_GET(self):
        server, size = self.server, len(self.server.body)
        asked = self.headers.get("Range")
        server.requested.append(asked)
        first, last = 0, size - 1
        if self.path != "/archive.zip":
            self.send_error(404)
            return
        if asked and server.ranges:
            low, high = asked.removeprefix("bytes=").split("-")
            if not low and not server.suffix:
                self.send_error(501)
                return
            first, last = (max(0, size - int(high)), last) if not low else (int(low), int(high or last))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        body = server.body[first : last + 1][: 20 if len(server.requested) == server.breaks_at else None]
        server.sent += len(body)
        self.wfile.write(body)


@pytest.fixture
def serve_body(serve):
    def start(body, *, ranges=True, suffix=True, breaks_at=None):
        state = {"body": body, "ranges": ranges, "suffix": suffix, "breaks_at": breaks_at}
        server = serve(Handler, **state, sent=0, requested=[])
        server.url += "/archive.zip"
        return server

    return start


def vctk_zip(*, extra=(), prefix="", filler=200_000):
    """An archive in VCTK's layout; the second microphone is what need not be downloaded."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for speaker in ("p226", "p225"):
            for number in (4, 3, 2, 1):
                name = f"{prefix}wav48_silence_trimmed/{speaker}/{speaker}_{number:03d}"
                archive.writestr(f"{name}_mic1.flac", f"{speaker} {number}".encode() * 100)
                archive.writestr(f"{name}_mic2.flac", bytes(filler))
        for name in extra:
            archive.writestr(name, b"evil")
    return buffer.getvalue()


def fetch(server, folder, **options):
    options = {"md5": md5(server.body).hexdigest(), "designs": DESIGNS, "progress": False, **options}
    return archives.fetch_vctk(folder, url=server.url, **options)


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


LIBRI = [(f"LibriSpeech/test-clean/{s}/1/{s}-1-000{u}.flac", b"flac" * 99) for s in (61, 121) for u in (0, 1)]


@pytest.mark.parametrize("options", [{}, {"suffix": False}, {"ranges": False}], ids=str)
@pytest.mark.parametrize("prefix", ["", "VCTK-Corpus-0.92/"])
def test_only_the_members_needed_are_downloaded_where_the_server_knows_ranges(
    serve_body, tmp_path, options, prefix
):
    server = serve_body(vctk_zip(prefix=prefix), **options)
    assert fetch(server, tmp_path) == tmp_path
    assert files_below(tmp_path) == EXPECTED
    target = tmp_path / "wav48_silence_trimmed" / "p225" / "p225_003_mic1.flac"
    assert target.read_bytes() == b"p225 3" * 100
    assert (server.sent < len(server.body) / 4) == options.get("ranges", True)
    assert corpora.find_corpus(tmp_path).counts() == WANTED


def test_a_second_call_mends_what_is_damaged_and_leaves_the_rest(serve_body, tmp_path):
    server = serve_body(vctk_zip())
    fetch(server, tmp_path)
    first, second = (tmp_path / name for name in EXPECTED[:2])
    whole = first.read_bytes()
    first.write_bytes(bytes(len(whole)))
    kept = second.stat().st_mtime_ns
    fetch(server, tmp_path)
    assert first.read_bytes() == whole
    assert second.stat().st_mtime_ns == kept


def test_a_connection_that_breaks_leaves_no_half_file_and_continues(serve_body, tmp_path):
    server = serve_body(vctk_zip(), breaks_at=3)
    with pytest.raises((OSError, ValueError), match="archive"):
        fetch(server, tmp_path)
    assert set(files_below(tmp_path)) < set(EXPECTED)
    fetch(server, tmp_path)
    assert files_below(tmp_path) == EXPECTED


def damaged(kind):
    body = bytearray(vctk_zip())
    if kind == "cut short":
        return bytes(body[: len(body) // 2])
    if kind == "CRC":
        body[body.index(b"p225 1p225 1")] ^= 1
        return bytes(body)
    at, value = {"encrypted": (8, 1), "unknown method": (10, 99)}[kind]
    entry = body.index(b"PK\x01\x02")
    while entry >= 0:
        body[entry + at] = value
        entry = body.find(b"PK\x01\x02", entry + 1)
    return bytes(body)


@pytest.mark.parametrize("kind", ["cut short", "CRC", "encrypted", "unknown method"])
@pytest.mark.parametrize("ranges", [True, False])
def test_of_a_damaged_archive_nothing_is_written(serve_body, tmp_path, kind, ranges):
    with pytest.raises(ValueError, match=r"archive\.zip: the archive is damaged"):
        fetch(serve_body(damaged(kind), ranges=ranges), tmp_path)
    assert files_below(tmp_path / "wav48_silence_trimmed") == []


def test_a_wrong_checksum_is_an_error_and_removes_the_download(serve_body, tmp_path):
    for fetch_it in (archives.fetch_vctk, archives.fetch_librispeech):
        with pytest.raises(ValueError, match="md5:0000"):
            fetch_it(tmp_path, url=serve_body(vctk_zip(), ranges=False).url, md5="0000", progress=False)
    assert files_below(tmp_path) == []


def test_what_cannot_be_fetched_is_said(serve_body, tmp_path):
    server = serve_body(b"")
    for fetch_it in (archives.fetch_vctk, archives.fetch_librispeech):
        with pytest.raises(OSError, match="404"):
            fetch_it(tmp_path, url=server.url + "x", progress=False)
        with pytest.raises(OSError, match=r"nowhere\.invalid "):
            fetch_it(tmp_path, url="http://nowhere.invalid/archive.zip", progress=False)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("designs", "message"), [([(3, 1)], "2 speakers of VCTK, 3"), ([(1, 9)], "4 utterances of p225, 9")]
)
def test_too_small_an_archive_is_an_error(designs, message):
    with zipfile.ZipFile(io.BytesIO(vctk_zip())) as archive, pytest.raises(ValueError, match=message):
        archives.choose_vctk(archive.namelist(), designs)


@pytest.mark.parametrize("name", ["../p9/p9_00{}_mic1.flac", "wav48_silence_trimmed/../../x_00{}_mic1.flac"])
def test_members_outside_the_folder_are_none_of_vctk(serve_body, tmp_path, name):
    names = [f"wav48_silence_trimmed/{name}".format(i) for i in range(4)]
    fetch(serve_body(vctk_zip(extra=names)), tmp_path / "corpus")
    assert files_below(tmp_path) == [f"corpus/{name}" for name in EXPECTED]


def test_librispeech_is_unpacked_once_and_whole(serve_body, tmp_path):
    server = serve_body(tar_of(*LIBRI))
    (tmp_path / "archive.zip").write_bytes(tar_of(*LIBRI[:2]))  # another, which is downloaded again
    for _ in range(2):
        archives.fetch_librispeech(tmp_path, url=server.url, md5=md5(server.body).hexdigest(), progress=False)
    assert len(server.requested) == 1
    assert files_below(tmp_path) == sorted(name for name, _ in LIBRI)
    assert corpora.find_corpus(tmp_path).counts() == {"121": 2, "61": 2}


TARS = {
    "leaves its folder": tar_of(*LIBRI, ("../evil", b"x")),
    "link to nothing": tar_of(*LIBRI, ("LibriSpeech/link", None)),
    "cut short": tar_of(*LIBRI)[:100],
    "no archive": b"no archive",
    "empty": b"",
}


@pytest.mark.parametrize("body", TARS.values(), ids=TARS)
def test_a_tar_that_is_damaged_or_leaves_its_folder_is_refused_whole(serve_body, tmp_path, body):
    server, target = serve_body(body), tmp_path / "corpus"
    for _ in range(2):  # what failed once is not taken for done
        with pytest.raises(ValueError, match="the archive is damaged"):
            archives.fetch_librispeech(
                target, url=server.url, md5=md5(server.body).hexdigest(), progress=False
            )
        assert files_below(tmp_path) == ["corpus/archive.zip"]
