"""The command `streamgauge`, as a shell would run it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clients.python.tests.books import Books

Done = subprocess.CompletedProcess[str]


def run(
    *arguments: str | Path, url: str = "", key: str = "", stdin: str = "", cwd: Path | None = None
) -> Done:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMGAUGE_")}
    return subprocess.run(
        [sys.executable, "-m", "streamgauge", *map(str, arguments)],
        env={**kept, "STREAMGAUGE_URL": url, "STREAMGAUGE_KEY": key},
        input=stdin,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def told(done: Done) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_send_takes_one_event_from_its_arguments(server: str, books: Books) -> None:
    event = ("--type", "door.opened", "--id", "d-1", "--value", "2", "--data", '{"a": 1}')
    done = run("send", *event, url=server, key=books.key)
    assert (done.returncode, done.stdout) == (0, "1 stored, 0 duplicates, 0 rejected\n")
    assert books.ids() == ["d-1"]


def test_send_takes_ndjson_from_stdin_and_says_which_lines_are_bad(server: str, books: Books) -> None:
    lines = ['{"type": "good"}', "", "{", '{"type": "not a type", "id": "bad"}', "[1]", '{"type": "good"}']
    done = run("send", "--json", url=server, key=books.key, stdin="\n".join(lines))
    outcome = told(done)
    assert done.returncode == 1
    assert (outcome["accepted"], outcome["rejected"]) == (2, 3)
    assert {(error["line"], error["code"]) for error in outcome["errors"]} == {
        (3, "malformed_json"), (5, "wrong_type"), (None, "invalid_format"),
    }  # fmt: skip
    assert "rejected, line 3: malformed_json" in done.stderr


def test_send_keeps_on_disk_what_the_server_does_not_take_and_the_next_run_sends_it(
    server: str, nobody: str, books: Books, tmp_path: Path
) -> None:
    buffer = tmp_path / "buffer.sqlite"
    away = run("send", "--type", "t", "--id", "kept", "--buffer", buffer, url=nobody, key=books.key)
    assert (away.returncode, "1 on disk" in away.stdout) == (0, True)
    back = run("send", "--type", "t", "--id", "new", "--buffer", buffer, url=server, key=books.key)
    assert back.returncode == 0, back.stderr
    assert books.ids() == ["kept", "new"]


def test_send_tells_a_bad_key_from_a_server_that_is_away(server: str, books: Books, tmp_path: Path) -> None:
    done = run("send", "--type", "t", url=server, key="sg_wrong", cwd=tmp_path)
    assert done.returncode == 4
    assert "401 invalid_key" in done.stderr
    (unsent,) = (tmp_path / "streamgauge-unsent.ndjson").read_text().splitlines()
    again = run("send", url=server, key=books.key, stdin=unsent)
    assert again.returncode == 0
    assert books.ids() == [json.loads(unsent)["id"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send", "--type", "t"], "STREAMGAUGE_KEY"),
        (["send", "--type", "t", "--key", "k", "--url", "localhost"], "http://"),
        (["send", "--type", "t", "--key", "k", "--data", "[]"], "--data"),
        (["import", "nowhere.ndjson", "--key", "k"], "nowhere.ndjson"),
        (["import", __file__, "--key", "k"], "--format"),
        (["tail", "--key", "k"], "--project"),
        ([], "COMMAND"),
    ],
)
def test_a_wrong_use_is_explained(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("suffix", [".ndjson", ".ndjson.gz"])
def test_an_import_run_again_stores_nothing_twice(
    suffix: str, server: str, books: Books, tmp_path: Path
) -> None:
    lines = [json.dumps({"type": "imported", "value": n, "source": suffix}) for n in range(1200)]
    content = "\n".join(lines).encode()
    path = tmp_path / f"events{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    first = run("import", path, "--json", url=server, key=books.key)
    assert first.returncode == 0, first.stderr
    assert told(first)["accepted"] == 1200
    second = told(run("import", path, "--json", "--from-line", "201", url=server, key=books.key))
    assert (second["accepted"], second["duplicates"]) == (0, 1000)
    assert len(books.ids()) == 1200


def test_a_csv_fills_fields_by_their_names_and_data_with_the_rest(
    server: str, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text('id,subject,value,note\np-1,Ada,36,"two\nlines"\np-2,,,\np-3,Bob,old,x\np-4,too few\n')
    done = run("import", path, "--type", "person.seen", "--json", url=server, key=books.key)
    assert done.returncode == 1, done.stderr
    assert [(error["line"], error["code"]) for error in told(done)["errors"]] == [
        (5, "wrong_type"), (6, "wrong_columns"),
    ]  # fmt: skip
    rows = books.database.rows(
        "SELECT event_id, type, subject, value FROM event WHERE event_id LIKE 'p-_' ORDER BY event_id"
    )
    assert rows == [("p-1", "person.seen", "Ada", 36.0), ("p-2", "person.seen", "", None)]


def test_an_import_that_is_refused_says_with_which_line_to_continue(server: str, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"type": "t"}\n' * 3)
    done = run("import", path, url=server, key="sg_wrong")
    assert done.returncode == 4
    assert "--from-line 1" in done.stderr


def test_a_broken_gzip_is_no_success(server: str, books: Books, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"type": "t", "id": "z"}\n' * 100)[:-12])
    done = run("import", path, url=server, key=books.key)
    assert done.returncode == 3
    assert "cannot be read to its end" in done.stderr
