"""docs/websocket.md is executed: its client against a real process, its codes against the source."""

import os
import re
import subprocess
import sys
from pathlib import Path

from events.websocket.frames import Close
from events.websocket.limits import FRAME_COST, SocketLimits
from provisioning.processes import MAX_FRAME_BYTES
from tests.support.ingest import Books, Tenant

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/websocket.md").read_text()
LIMITS = SocketLimits()


def test_the_client_works_as_it_is_written(ingest_server: int, tenant: Tenant, books: Books) -> None:
    (client,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", client.replace("127.0.0.1:8001", f"127.0.0.1:{ingest_server}")],
        env={**os.environ, "KEY": tenant.key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "1000 frames are answered\n", done.stderr
    assert books.stored(tenant.id) == 1000


def test_every_code_that_closes_a_socket_is_on_the_page() -> None:
    sources = [ROOT / "events/consumers.py", *(ROOT / "events/websocket").glob("*.py")]
    source = "\n".join(path.read_text() for path in sorted(sources))
    written = set(re.findall(r'(?:violation\(|Refusal\(\s*\d+,)\s*"(\w+)"', source))
    own = {"outcome_unknown"}  # of a frame, as by HTTP
    from_elsewhere = {"invalid_key", "overloaded", "keys_unavailable", "address_not_allowed"}
    documented = re.findall(r"^\| (\d{4}) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert {code for _, code in documented} == (written - own) | from_elsewhere
    assert {int(number) for number, _ in documented} == set(Close)


def test_the_limits_on_the_page_are_those_of_the_source() -> None:
    told = (f'"events": {LIMITS.events}, "bytes": {LIMITS.bytes}', f"its bytes and {FRAME_COST} more",
            f"{LIMITS.sockets} sockets of the process or {LIMITS.sockets_per_key} of the key",
            f"always holds {LIMITS.least_events:,} events", f"at most {LIMITS.frame_bytes // 1024} KiB")  # fmt: skip
    assert [text for text in told if text not in PAGE] == []
    assert LIMITS.least_bytes > LIMITS.frame_bytes + FRAME_COST


def test_the_servers_take_frames_as_large_as_the_consumer() -> None:
    assert LIMITS.frame_bytes == MAX_FRAME_BYTES
    for name in ("compose.yaml", "Dockerfile"):
        assert str(MAX_FRAME_BYTES) in (ROOT / "deploy" / name).read_text()
