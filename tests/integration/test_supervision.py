"""The supervisor with small real processes: output, restarts, and an end that leaves none behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.errors import ProvisioningError
from provisioning.processes import Child
from provisioning.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
HOLDER = """
import asyncio, sys
from pathlib import Path
from provisioning.processes import Child
from provisioning.supervisor import Supervisor
async def then(): return []
child = Child("sleeper", (sys.executable, "-c", sys.argv[1]))
say = lambda line: print(line, flush=True)
asyncio.run(Supervisor(root=Path("."), environment={}, say=say).run([child], then))
"""


def python(name: str, program: str, *, restart: bool = True) -> Child:
    return Child(name, (sys.executable, "-c", program), restart=restart)


async def supervise(
    tmp_path: Path,
    children: list[Child],
    enough: Callable[[list[str]], bool],
    later: list[Child] | None = None,
) -> list[str]:
    """Run until `enough` of the lines, then end it as Ctrl-C would."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if enough(lines):
            os.kill(os.getpid(), signal.SIGTERM)

    async def then() -> list[Child]:
        return later or []

    await asyncio.wait_for(Supervisor(root=tmp_path, environment={}, say=say).run(children, then), 30)
    return lines


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_lines_carry_the_name_of_their_process(tmp_path: Path) -> None:
    children = [python("web", f"print('up'); {SLEEPER}"), python("worker", "import time; time.sleep(600)")]
    lines = await supervise(tmp_path, children, lambda lines: len(lines) == 2)
    assert lines[0] == "web    | up"


async def test_a_last_line_without_an_end_is_shown(tmp_path: Path) -> None:
    child = python("once", "print('bye', end='')", restart=False)
    lines = await supervise(tmp_path, [child], lambda lines: "once | finished" in lines)
    assert lines == ["once | bye", "once | finished"]


async def test_a_process_that_dies_is_started_again_ever_more_slowly(tmp_path: Path) -> None:
    def enough(lines: list[str]) -> bool:
        return sum("ended with 3" in line for line in lines) == 2

    lines = await supervise(tmp_path, [python("worker", "raise SystemExit(3)")], enough)
    assert lines[:2] == [
        "worker | ended with 3; starting it again in 1.0 s",
        "worker | ended with 3; starting it again in 2.0 s",
    ]


async def test_a_process_that_may_end_is_let_go_and_the_others_stay(tmp_path: Path) -> None:
    once = python("replay", "print('done')", restart=False)
    lines = await supervise(
        tmp_path, [python("web", SLEEPER)], lambda lines: "replay | finished" in lines, later=[once]
    )
    assert "replay | done" in lines
    assert not any("starting it again" in line for line in lines)


async def test_stopping_leaves_no_process_behind(tmp_path: Path) -> None:
    names = ["web", "ingest", "worker"]
    lines = await supervise(
        tmp_path, [python(name, SLEEPER) for name in names], lambda lines: len(lines) == 3
    )
    assert not any(is_alive(int(line.split("|")[1])) for line in lines)


async def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.supervisor.GRACE_SECONDS", 0.2)
    lines = await supervise(tmp_path, [python("worker", STUBBORN)], lambda lines: len(lines) == 1)
    assert not is_alive(int(lines[0].split("|")[1]))


async def test_processes_that_never_answer_end_it_with_an_error(tmp_path: Path) -> None:
    async def then() -> list[Child]:
        raise ProvisioningError("did not answer")

    supervisor = Supervisor(root=tmp_path, environment={}, say=lambda line: None)
    with pytest.raises(ProvisioningError, match="did not answer"):
        await supervisor.run([python("web", SLEEPER)], then)


def test_children_die_with_a_supervisor_that_is_killed() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, SLEEPER],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "platform"), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline().split("|")[1])
        assert is_alive(child)
        holder.kill()
        holder.wait()
        deadline = time.monotonic() + 10
        while is_alive(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_alive(child)
