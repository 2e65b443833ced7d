"""TimescaleDB's Apache edition: compiled once from Debian's source package, then copied from a cache."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from provisioning.errors import CommandFailed, ProvisioningError
from provisioning.output import Say
from provisioning.packages import apt_environment, require_administrator
from provisioning.plan import REMEDY, Plan, SourceBuild
from provisioning.shell import run

CMAKE_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DAPACHE_ONLY=1",
    "-DREGRESS_CHECKS=OFF",
    "-DTAP_CHECKS=OFF",
    "-DWARNINGS_AS_ERRORS=OFF",
    "-DUSE_TELEMETRY=OFF",
)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
OLDEST = (2, 18, 1)  # earlier releases lose inserts or have known holes (docs/operating.md)
COMPLETE = "complete"


def extension_control(postgresql: int) -> Path:
    return Path(f"/usr/share/postgresql/{postgresql}/extension/timescaledb.control")


def ensure_timescaledb(plan: Plan, say: Say) -> None:
    """Make the extension available to the machine's PostgreSQL; a no-op once it is."""
    if extension_control(plan.postgresql).exists():
        return
    if plan.timescaledb_build is None:
        raise ProvisioningError(
            f"postgresql-{plan.postgresql}-timescaledb lacks its extension: reinstall it. {REMEDY}"
        )
    tree = cached_tree(plan.postgresql) or build(plan.timescaledb_build, plan.postgresql, say)
    _copy_into_system(tree, say)


def packages_to_build(plan: Plan) -> tuple[str, ...]:
    """What a build needs, if there has to be one."""
    there = extension_control(plan.postgresql).exists() or cached_tree(plan.postgresql)
    return () if there or plan.timescaledb_build is None else plan.timescaledb_build.build_packages


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "streamgauge"


def cached_tree(postgresql: int) -> Path | None:
    """The newest finished build for this PostgreSQL, as a tree to copy onto `/`."""
    trees = [
        path for path in cache_directory().glob(f"timescaledb-*-pg{postgresql}") if (path / COMPLETE).exists()
    ]
    return max(trees, key=lambda path: parse_version(path.name.split("-")[1]), default=None)


def parse_version(text: str) -> tuple[int, ...]:
    """`2.19.3` of `2.19.3+dfsg-1+deb13u1`, as numbers."""
    match = re.match(r"\d+(\.\d+)+", text)
    if match is None:
        raise ProvisioningError(f"TimescaleDB has a version that is no version: {text!r}.")
    return tuple(int(part) for part in match.group().split("."))


def build(source: SourceBuild, postgresql: int, say: Say) -> Path:
    """Fetch, compile and stage the extension; returns the cached tree."""
    say("Building TimescaleDB (Apache edition) from Debian's source package; this happens once.")
    cache_directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache_directory()) as name:
        workspace = Path(name)
        tree, version = _fetch_source(source, workspace)
        if version < OLDEST:
            raise ProvisioningError(
                f"Debian offers TimescaleDB {version}; {OLDEST} is the oldest safe one. {REMEDY}"
            )
        staged = _compile(tree, postgresql, workspace)
        target = cache_directory() / f"timescaledb-{'.'.join(map(str, version))}-pg{postgresql}"
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
    (target / COMPLETE).touch()
    return target


def _fetch_source(source: SourceBuild, workspace: Path) -> tuple[Path, tuple[int, ...]]:
    failures = []
    for mirror in debian_mirrors(_own_codename()):
        try:
            return _fetch_from(mirror, source, workspace)
        except CommandFailed as error:
            failures.append(str(error))
    detail = "\n".join(failures) or "The machine's apt configuration names no Debian mirror."
    raise ProvisioningError(f"The source package {source.package} could not be fetched. {REMEDY}\n{detail}")


def _fetch_from(mirror: str, source: SourceBuild, workspace: Path) -> tuple[Path, tuple[int, ...]]:
    """Lists of their own for these calls only: no binary package can come from the other suite."""
    lists = workspace / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    entry = workspace / "sources.list"
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    entry.write_text(f"deb-src {signed}{mirror} {source.suite} main\n")
    options = (
        "-q", "-o", f"Dir::Etc::sourcelist={entry}", "-o", "Dir::Etc::sourceparts=-",
        "-o", f"Dir::State::lists={lists}", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
        "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3",
    )  # fmt: skip
    run(["apt-get", *options, "update"], environment=apt_environment(), cwd=workspace)
    run(["apt-get", *options, "source", source.package], environment=apt_environment(), cwd=workspace)
    tree = next(path for path in workspace.glob(f"{source.package}-*") if path.is_dir())
    return tree, parse_version(tree.name.removeprefix(f"{source.package}-"))


def debian_mirrors(codename: str) -> list[str]:
    """The mirrors that apt itself uses for this release's main component, in its order."""
    listing = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
    rows = (line.split() for line in listing.splitlines())
    found = (row[0] for row in rows if row[1:] == [codename, "main"])
    return list(dict.fromkeys(found))


def _own_codename() -> str:
    text = Path("/etc/os-release").read_text()
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", text, re.MULTILINE)
    return match.group(1) if match else ""


def _compile(tree: Path, postgresql: int, workspace: Path) -> Path:
    pg_config = f"/usr/lib/postgresql/{postgresql}/bin/pg_config"
    output, staged = workspace / "build", workspace / "staged"
    jobs = str(len(os.sched_getaffinity(0)))
    run(["cmake", "-S", tree, "-B", output, f"-DPG_CONFIG={pg_config}", *CMAKE_FLAGS])
    run(["cmake", "--build", output, "--parallel", jobs], timeout=3600)
    run(["cmake", "--install", output], environment={"DESTDIR": str(staged)})
    return staged


def _copy_into_system(tree: Path, say: Say) -> None:
    files = [path for path in sorted(tree.rglob("*")) if path.is_file() and path.name != COMPLETE]
    # The control file goes last: it is what says that the extension is there.
    files.sort(key=lambda path: path.suffix == ".control")
    prefix = require_administrator(f"cp -r {tree}/usr /")
    say(f"Installing TimescaleDB from {tree}")
    for directory, names in _by_directory(tree, files):
        run([*prefix, "install", "-D", "-m", "0644", "-t", directory, *names])


def _by_directory(tree: Path, files: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    groups: dict[tuple[bool, Path], list[Path]] = {}
    for path in files:
        target = Path("/") / path.relative_to(tree).parent
        groups.setdefault((path.suffix == ".control", target), []).append(path)
    return [(target, names) for (_, target), names in groups.items()]
