"""platform/ is a folder on the path: a package of that name would shadow the standard library's module."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import platform; print(platform.system()); print(platform.__file__)"
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"]).resolve()


def test_the_folder_is_no_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_the_folder_holds_only_packages() -> None:
    inside = [path for path in (ROOT / "platform").iterdir() if path.name != "__pycache__"]
    assert inside
    assert [path.name for path in inside if not (path / "__init__.py").is_file()] == []


@pytest.mark.parametrize("search_path", ["", f"{ROOT}:{ROOT / 'platform'}"])
def test_import_platform_is_the_standard_library_from_the_root(search_path: str) -> None:
    """Both ways: as installed, and with the two import roots put in front."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        check=True,
    )
    system, file = done.stdout.splitlines()
    assert system == "Linux"
    assert Path(file).resolve().parent == STANDARD_LIBRARY
