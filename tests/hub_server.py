"""A hub on 127.0.0.1 that speaks as much of Hugging Face's protocol as pushing and pulling a model need.

What it is sent it checks: tokens, sizes, SHA-256 of large files. It can be told to fail.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

WRITES, READS = "hf_writes", "hf_reads"
"""Tokens: of somebody who may write to ``me/...``, and of one who may only read what is public."""


def connect(patch: pytest.MonkeyPatch, address: str, home: Path) -> None:
    """Let huggingface_hub use this hub with a token that may write, and touch nothing of the user's."""
    from huggingface_hub import constants

    patch.setenv("HF_TOKEN", WRITES)
    patch.delenv("HF_OIDC_RESOURCE", raising=False)
    for name in ("HF_TOKEN_PATH", "HF_STORED_TOKENS_PATH", "HF_HUB_CACHE", "AGENT_HARNESSES_PATH"):
        patch.setattr(constants, name, str(home / name), raising=False)
    patch.setattr(constants, "ENDPOINT", address)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@dataclass
class Repo:
    """A repository: its commits, the oldest first, each with all files; ``large`` are kept apart, as LFS does."""

    is_private: bool = False
    commits: list[tuple[str, str, dict[str, bytes]]] = field(default_factory=list)
    ignored: tuple[str, ...] = ()

    def add(self, message: str, files: dict[str, bytes]) -> str:
        before = self.commits[-1][2] if self.commits else {}
        content = {**before, **files}
        told = repr((len(self.commits), message, sorted((name, git_sha(one)) for name, one in content.items())))
        self.commits.append((hashlib.sha1(told.encode()).hexdigest(), message, content))
        return self.commits[-1][0]

    def at(self, revision: str | None) -> tuple[str, dict[str, bytes]] | None:
        if revision in (None, "main"):
            revision = self.commits[-1][0]
        return next(((sha, files) for sha, _, files in self.commits if sha == revision), None)


def is_large(name: str) -> bool:
    return name.endswith(".safetensors")


class Hub:
    """The hub, as a context manager.

    Attributes:
        address: what would be ``HF_ENDPOINT``, which is read but once.
        store: where large files are: as with Hugging Face, elsewhere.
        repos: by name.
        blobs: large files by SHA-256.
        asked: method and path of each request.
        ranges: parts of large files that were asked for.
        cuts: how many downloads of large files are cut in the middle.
        flips: whether a bit of each large file is flipped when it is sent.
        status: by part of a path, a status that is answered there instead.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.cuts, self.flips = 0, False
        self.status: dict[str, int] = {}

    def __enter__(self) -> Hub:
        handler = type("Bound", (Handler,), {"hub": self})
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.address, self.store = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def put(self, name: str, files: dict[str, bytes], is_private: bool = False) -> str:
        """Files of a repository, as if somebody had pushed them."""
        revision = self.repos.setdefault(name, Repo(is_private)).add("put there", files)
        self.blobs |= {sha256(one): one for path, one in files.items() if is_large(path)}
        return revision

    def files(self, name: str, revision: str | None = None) -> dict[str, bytes]:
        found = self.repos[name].at(revision)
        assert found
        return found[1]


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str = ""):
        self.status, self.message, self.code = status, message, code


class Handler(BaseHTTPRequestHandler):
    """Answers one request; `ROUTES` says which method does."""

    protocol_version = "HTTP/1.1"
    hub: ClassVar[Hub]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def answer(self) -> None:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.hub.asked.append((self.command, url.path))
        self.body = self.read_body()
        try:
            for part, status in self.hub.status.items():
                if part in url.path:
                    raise Refused(status, "the test wants it so")
            if self.token() not in (None, WRITES, READS):
                raise Refused(401, "Invalid credentials in Authorization header")
            for pattern, do in ROUTES:
                found = re.fullmatch(pattern, url.path)
                if found:
                    do(self, **{name: unquote(value) for name, value in found.groupdict().items() if value})
                    return
            raise Refused(404, f"no route {self.command} {url.path}")
        except Refused as error:
            headers = {"X-Error-Message": error.message} | ({"X-Error-Code": error.code} if error.code else {})
            self.send_json({"error": error.message}, error.status, headers)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def token(self) -> str | None:
        given = self.headers.get("Authorization")
        return given.removeprefix("Bearer ") if given else None

    def send(self, content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def repo(self, name: str) -> Repo:
        """A repository that the token may see."""
        repo = self.hub.repos.get(name)
        if repo is None or (repo.is_private and self.token() != WRITES):
            raise Refused(404 if self.token() else 401, "Repository not found", "RepoNotFound")
        return repo

    def may_write(self, name: str) -> None:
        if self.token() != WRITES or not name.startswith("me/"):
            raise Refused(403, "You don't have the rights to do this")

    def info(self, name: str, revision: str | None = None) -> None:
        repo = self.repo(name)
        found = repo.at(revision)
        if found is None:
            raise Refused(404, "Invalid rev id", "RevisionNotFound")
        siblings = []
        for path, content in found[1].items():
            one: dict[str, object] = {"rfilename": path}
            if "blobs" in self.query:
                one |= {"size": len(content), "blobId": git_sha(content)}
                if is_large(path):
                    one["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
            siblings.append(one)
        self.send_json({"id": name, "sha": found[0], "private": repo.is_private, "siblings": siblings, "tags": []})

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        self.may_write(name)
        if name in self.hub.repos:
            raise Refused(409, "You already created this model repo")
        is_private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.put(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, is_private=is_private)
        self.send_json({"url": f"{self.hub.address}/{name}", "name": name})

    def validate(self) -> None:
        content = json.loads(self.body)["content"]
        if "license: [" in content:
            self.send_json({"errors": [{"message": '"license" must be a string'}], "warnings": []}, 400)
        else:
            self.send_json({"errors": [], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        self.may_write(name)
        repo, files = self.repo(name), self.hub.files(name, revision)
        answer = []
        for one in json.loads(self.body)["files"]:
            path = one["path"]
            there = files.get(path)
            oid = None if there is None else sha256(there) if is_large(path) else git_sha(there)
            mode = "lfs" if is_large(path) else "regular"
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": path in repo.ignored, "oid": oid})
        self.send_json({"files": answer})

    def batch(self, name: str) -> None:
        self.may_write(name)
        objects = []
        for one in json.loads(self.body)["objects"]:
            oid = one["oid"]
            upload = {"href": f"{self.hub.store}/upload/{oid}", "header": {}}
            verify = {"href": f"{self.hub.address}/{name}.git/info/lfs/objects/verify"}
            objects.append(one if oid in self.hub.blobs else {**one, "actions": {"upload": upload, "verify": verify}})
        self.send_json({"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        if sha256(self.body) != oid:
            raise Refused(400, "the SHA-256 of what came is another")
        self.hub.blobs[oid] = self.body
        self.send(b"")

    def verify(self, name: str) -> None:
        self.may_write(name)
        asked = json.loads(self.body)
        if len(self.hub.blobs.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, "there is no such object")
        self.send_json({"message": "ok"})

    def commit(self, name: str, revision: str) -> None:
        self.may_write(name)
        assert revision == "main"
        repo, files, message = self.repo(name), {}, ""
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                message = value["summary"]
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.hub.blobs:
                    raise Refused(400, "the content of a file was not uploaded")
                files[value["path"]] = self.hub.blobs[value["oid"]]
        sha = repo.add(message, files)
        self.send_json({"commitUrl": f"{self.hub.address}/{name}/commit/{sha}", "commitOid": sha, "success": True})

    def resolve(self, name: str, revision: str, path: str) -> None:
        found = self.repo(name).at(revision)
        if found is None:
            raise Refused(404, "Invalid rev id", "RevisionNotFound")
        sha, files = found
        if path not in files:
            raise Refused(404, "Entry not found", "EntryNotFound")
        content, headers = files[path], {"X-Repo-Commit": sha}
        if is_large(path):
            oid = sha256(content)
            headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            self.send(b"", 302, headers | {"Location": f"{self.hub.store}/cdn/{oid}"})
        else:
            self.send(content, 200, headers | {"ETag": f'"{git_sha(content)}"'})

    def cdn(self, oid: str) -> None:
        content = self.hub.blobs[oid]
        if self.hub.flips:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        whole = len(content)
        status, headers = 200, {"Accept-Ranges": "bytes"}
        if asked:
            self.hub.ranges.append(self.headers["Range"])
            start, stop = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else whole, whole)
            content, status = content[start:stop], 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{whole}"
        if self.hub.cuts and self.command == "GET" and not (asked and asked[2]):
            self.hub.cuts -= 1
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.send(content, status, headers)


NAME = r"(?P<name>[^/]+/[^/]+)"
ROUTES = (
    (rf"/api/models/{NAME}(/revision/(?P<revision>[^/]+))?", Handler.info),
    (r"/api/repos/create", Handler.create),
    (r"/api/validate-yaml", Handler.validate),
    (rf"/api/models/{NAME}/preupload/(?P<revision>[^/]+)", Handler.preupload),
    (rf"/api/models/{NAME}/commit/(?P<revision>[^/]+)", Handler.commit),
    (rf"/{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    (rf"/{NAME}\.git/info/lfs/objects/verify", Handler.verify),
    (r"/upload/(?P<oid>\w+)", Handler.upload),
    (rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
    (r"/cdn/(?P<oid>\w+)", Handler.cdn),
)
