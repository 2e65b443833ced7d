"""`manage.py with_servers` runs one command and ends as it did."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = "import os; print(os.environ['STREAMGAUGE_DATABASE_URL'].split(':')[0])"


def with_servers(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "with_servers", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_sees_the_servers() -> None:
    done = with_servers("--", sys.executable, "-c", SHOW)
    assert (done.returncode, done.stdout.strip()) == (0, "postgres"), done.stderr


@pytest.mark.parametrize("code", [1, 5])
def test_it_exits_as_the_command_did(code: int) -> None:
    assert with_servers("--", sys.executable, "-c", f"raise SystemExit({code})").returncode == code


def test_a_program_that_does_not_exist_is_an_error_and_no_traceback() -> None:
    done = with_servers("--", "no-such-program")
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr
