""".local/env: the lines that provisioning owns in it, beside whatever a person put there."""

import os
from collections.abc import Mapping
from pathlib import Path

DATABASE = "STREAMGAUGE_DATABASE_URL"
REDIS = "STREAMGAUGE_REDIS_URL"


def read_environment(path: Path) -> dict[str, str]:
    """NAME=value lines; comments and blank lines are skipped."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}


def write_environment(path: Path, values: Mapping[str, str | None]) -> None:
    """Set (or with None remove) `values` in it and leave the other lines; mode 0600, replaced at once."""
    kept = [line for line in _lines(path) if line.partition("=")[0].strip() not in values]
    lines = [*kept, *(f"{name}={value}" for name, value in values.items() if value is not None)]
    if not lines and not path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    draft.replace(path)


def chosen_by_operator(name: str, path: Path, environment: Mapping[str, str]) -> str | None:
    """The value that the real environment sets, None when it came from our own file (settings read it in)."""
    value = environment.get(name) or None
    return None if value == read_environment(path).get(name) else value


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
