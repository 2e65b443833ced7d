"""`streamgauge import --server-side` against an endpoint that answers as docs/imports.md of the server has it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clients.python.tests.test_cli import run, told

JOB = {"id": "0198", "accepted": 2, "duplicates": 1, "rejected": 0, "progress": 0.5, "error": ""}


class Imports(BaseHTTPRequestHandler):
    """Takes a file, is busy for one question, then ends as `end` says."""

    received: list[tuple[str, bytes]] = []
    states: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, body))
        self._answer(201)

    def do_GET(self) -> None:
        self.states.pop(0)
        self._answer(200)

    def _answer(self, status: int) -> None:
        body = json.dumps({**JOB, "state": self.states[0]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def imports() -> Iterator[str]:
    Imports.received, Imports.states = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Imports)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize(
    ("states", "code"),
    [(["queued", "running", "done"], 0), (["queued", "failed"], 3), (["ready"], 4)],
    ids=["done", "failed", "wants a mapping"],
)
def test_the_file_goes_up_as_it_is_and_its_import_is_followed_to_the_end(
    states: list[str], code: int, imports: str, tmp_path: Path
) -> None:
    path = tmp_path / "events of may.ndjson"
    path.write_text('{"type": "t"}\n')
    Imports.states = list(states)
    done = run("import", path, "--server-side", "--json", url=imports, key="sg_key")
    assert done.returncode == code, done.stderr
    assert Imports.received == [("/api/v1/imports?name=events+of+may.ndjson", path.read_bytes())]
    if code == 0:
        assert (told(done)["accepted"], told(done)["duplicates"]) == (2, 1)
