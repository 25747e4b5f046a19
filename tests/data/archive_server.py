"""A server on 127.0.0.1 that gives one archive, well or badly, and archives of twins, honest and hostile."""

import io
import re
import stat
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from gsmflow.data import catalog
from gsmflow.data.fetch import fetch
from gsmflow.errors import InputError
from tests.data.twins import make_truth, write_xlsa17


def make_archive(tmp_path: Path, names=("AWA1", "CUB"), seed: int = 0, entries=(), **changed) -> bytes:
    """An archive as published, with the twin of a benchmark for each name; ``entries`` come on top."""
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for place, name in enumerate(names):
            folder = write_xlsa17(tmp_path / f"made{seed}" / name, make_truth(seed + place), **changed)
            for file in sorted(folder.iterdir()):
                archive.write(file, f"xlsa17/data/{name}/{file.name}")
        for entry, data in entries:
            archive.writestr(entry, data)
    return content.getvalue()


def link(name: str) -> ZipInfo:
    """An entry that is a symbolic link."""
    entry = ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


class Server(ThreadingHTTPServer):
    """Gives ``content``; how well, its attributes tell.

    Attributes:
        content: of the file.
        etag: its mark; None for none.
        modified: its date; None for none.
        cuts: after how many bytes each of the next answers is cut off.
        answers: codes of the next answers, instead of the file.
        ranges: whether it can begin in the middle.
        checks: whether it looks at If-Range.
        told: whether it tells the length of the file.
        onward: an address that is answered instead of the file.
        stalls: how long the next answers stop before their last bytes, in seconds.
        asked: the Range of each request, or None.
    """

    daemon_threads = True

    def __init__(self, content: bytes):
        self.content, self.etag, self.modified = content, '"one"', None
        self.cuts: list[int] = []
        self.answers: list[int] = []
        self.stalls: list[float] = []
        self.onward = ""
        self.ranges, self.checks, self.told = True, True, True
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Nothing on standard error where a client goes away."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/xian/xlsa17.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if server.onward:
            self.send_response(302)
            self.send_header("Location", server.onward)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if server.answers:
            self.send_error(server.answers.pop(0))
            return
        same = self.headers.get("If-Range") in (server.etag, server.modified) or not server.checks
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges and same else 0
        if start and start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.told:
            self.send_header("Content-Length", str(len(server.content) - start))
        for name, value in (("ETag", server.etag), ("Last-Modified", server.modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else len(server.content)
        if server.stalls:
            self.wfile.write(server.content[start : end - 10])
            time.sleep(server.stalls.pop(0))
            return
        self.wfile.write(server.content[start:end])

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def silent() -> SimpleNamespace:
    """What shows nothing, and keeps what is said."""
    said: list[str] = []
    return SimpleNamespace(begin=lambda *_: None, show=lambda *_: None, say=said.append, said=said)


def patch_archive(monkeypatch, **changes):
    changed = tuple(
        replace(one, archive=replace(one.archive, **changes)) if one.archive else one for one in catalog.BENCHMARKS
    )
    monkeypatch.setattr(catalog, "BENCHMARKS", changed)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def call(names, root: Path, **options) -> SimpleNamespace:
    """Fetch: what came, and what was said; or the one sentence of an error."""
    teller = silent()
    try:
        found, error = fetch(names, root=root, teller=teller, **options), ""
    except InputError as sentence:
        found, error = {}, str(sentence)
        assert "\n" not in error
        assert error.endswith(".")
    return SimpleNamespace(found=found, error=error, said=teller.said)
