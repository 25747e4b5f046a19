"""What several tests of data share."""

import pytest

from gsmflow.data import download
from tests.data.archive_server import Server, make_archive, patch_archive


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Gives the archive of twins from where the real one is published."""
    monkeypatch.setattr(download, "WAITS_S", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(make_archive(tmp_path))
    patch_archive(monkeypatch, address=server.address)
    yield server
    server.shutdown()
    server.server_close()
