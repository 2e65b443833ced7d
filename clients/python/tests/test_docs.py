"""README.md and docs/clients.md are executed, example by example, against a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clients.python.tests.books import Books

PACKAGE = Path(__file__).resolve().parents[1]
README = (PACKAGE / "README.md").read_text()
PAGE = (PACKAGE.parents[1] / "docs/clients.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README + PAGE, re.DOTALL)
SHELL = [
    block for block in re.findall(r"```sh\n(.*?)```", README + PAGE, re.DOTALL) if "pip install" not in block
]


def execute(*command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", PYTHON, ids=range(len(PYTHON)))
def test_every_python_example_runs(example: str, server: str, books: Books, tmp_path: Path) -> None:
    code = f"url, key = {server!r}, {books.key!r}\n{example}".replace("http://127.0.0.1:8001", server)
    output = execute(sys.executable, "-W", "error", "-c", code, folder=tmp_path)
    if "bad-1" in example:
        assert output == "invalid_format bad-1\n"
    else:
        assert books.ids()
    if "durability" in example:
        assert "committed" in output


@pytest.mark.parametrize("block", [block for block in SHELL if "tail" not in block], ids=lambda _: "")
def test_the_commands_work_as_they_are_written(block: str, server: str, books: Books, tmp_path: Path) -> None:
    (tmp_path / "flights.ndjson").write_text('{"type": "flight.departed"}\n')
    (tmp_path / "people.csv").write_text("subject,age\nAda,36\n")
    script = re.sub("^export .*$", "", block, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"STREAMGAUGE_URL": server, "STREAMGAUGE_KEY": books.key, "PATH": path}
    execute("bash", "-euc", script, folder=tmp_path, **environment)
    assert len(books.ids()) == (5 if "import" in block else 1)


def test_the_licence_is_the_repositorys() -> None:
    assert (PACKAGE / "LICENSE").read_text() == (PACKAGE.parents[1] / "LICENSE").read_text()
