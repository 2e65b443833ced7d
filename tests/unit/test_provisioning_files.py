"""The files that provisioning writes, and where it puts them."""

import os
import re
from pathlib import Path

import pytest

from provisioning import tuning
from provisioning.environment import DATABASE, REDIS, chosen_by_operator, read_environment, write_environment
from provisioning.places import LONGEST_SOCKET_DIRECTORY, Places, can_reach, process_in
from provisioning.shell import Account, current_account

STRANGER = Account("nobody", 65534, 65534)


def test_the_environment_file_is_private_and_keeps_other_peoples_lines(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# mine\nSTREAMGAUGE_WEB_PORT=9000\nSTREAMGAUGE_REDIS_URL=redis://old\n")
    write_environment(path, {REDIS: "redis://new", DATABASE: "postgres://a=b"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("# mine\nSTREAMGAUGE_WEB_PORT=9000\n")
    assert read_environment(path) == {
        "STREAMGAUGE_WEB_PORT": "9000",
        REDIS: "redis://new",
        DATABASE: "postgres://a=b",
    }
    write_environment(path, {REDIS: None, DATABASE: None})
    assert path.read_text() == "# mine\nSTREAMGAUGE_WEB_PORT=9000\n"


def test_no_file_is_made_only_to_say_nothing(tmp_path: Path) -> None:
    write_environment(tmp_path / "env", {REDIS: None})
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, None),
        ({REDIS: ""}, None),
        ({REDIS: "redis://ours"}, None),
        ({REDIS: "redis://theirs"}, "redis://theirs"),
    ],
)
def test_a_url_read_from_our_own_file_is_not_the_operators(
    tmp_path: Path, environment: dict[str, str], chosen: str | None
) -> None:
    path = tmp_path / "env"
    write_environment(path, {REDIS: "redis://ours"})
    assert chosen_by_operator(REDIS, path, environment) == chosen


def test_every_setting_of_the_cluster_says_why() -> None:
    listed = tuning.settings(port=54400, socket_directory=Path("/it's/run"), memory=8192)
    assert len({setting.name for setting in listed}) == len(listed)
    assert all(setting.why.endswith(".") for setting in listed)
    text = tuning.render(listed)
    assert "unix_socket_directories = '/it''s/run'" in text
    assert "shared_buffers = 2048MB" in text
    for durable in ("fsync = on", "synchronous_commit = on", "full_page_writes = on"):
        assert re.search(rf"^{durable}$", text, re.MULTILINE)


@pytest.mark.parametrize(("memory", "buffers"), [(256, 128), (2048, 512), (8192, 2048), (262_144, 2048)])
def test_shared_buffers_are_a_quarter_of_the_memory_up_to_two_gibibytes(memory: int, buffers: int) -> None:
    assert tuning.shared_buffers_mib(memory) == buffers


def test_a_folder_closed_to_others_cannot_be_reached_by_a_server_account(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "checkout").mkdir(parents=True)
    closed.chmod(0o700)
    assert can_reach(closed / "checkout", current_account())
    assert not can_reach(closed / "checkout", STRANGER)


def test_a_socket_folder_is_short_enough_for_a_socket(tmp_path: Path) -> None:
    places = Places(tmp_path / ("deep" * 30))
    directory = places.socket_directory(tmp_path / ("deep" * 30), current_account())
    assert len(os.fsencode(directory)) <= LONGEST_SOCKET_DIRECTORY
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.rmdir()


def test_a_recorded_pid_counts_only_for_its_own_program_in_its_own_folder(tmp_path: Path) -> None:
    own = os.getpid()
    assert process_in(Path.cwd(), own, "python") or process_in(Path.cwd(), own, "pytest")
    assert not process_in(tmp_path, own, "python")
    assert not process_in(Path.cwd(), own, "postgres")
    assert not process_in(Path.cwd(), 2**22 + 1, "python")
