"""Chromium against the real processes on a scratch database. Run as a pytest process of its own."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.support.databases import scratch_database
from tests.support.processes import ROOT, run_manage
from tests.support.stack import Seeded, Serving, Stack, running_stack

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = ROOT / ("docs/images" if os.environ.get("STREAMGAUGE_REFRESH_PICTURES") == "1" else "test-results")


@dataclass(frozen=True)
class Person:
    """Someone who can sign in."""

    username: str
    password: str


@dataclass
class Site:
    """The running product, and what tests may ask of it."""

    stack: Stack
    web: Serving
    ingest: Serving

    @cached_property
    def operator(self) -> Person:
        """A superuser."""
        return self.person("olga", "")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    def project(self, slug: str, pattern: str | None = None) -> Seeded:
        return self.stack.seed(slug, pattern)

    def person(self, username: str, slug: str, role: str | None = None) -> Person:
        """A member with this role; without one, a superuser."""
        arguments = [username, slug, *([role] if role else [])]
        answer = run_manage(self.stack.environment("web"), "-m", "tests.support.people", *arguments)
        return Person(**json.loads(answer.splitlines()[-1]))


@dataclass
class Complaints:
    """What the browser held against a page: script errors, CSP violations, failed requests."""

    heard: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))

    def forgive(self, text: str) -> None:
        """Take back those that the test caused on purpose."""
        self.heard = [each for each in self.heard if text not in each]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(f"{message.type}: {message.text}")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = os.environ.get("STREAMGAUGE_CHROMIUM", "/usr/bin/chromium")
    return {**browser_type_launch_args, "executable_path": path, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with scratch_database("browser") as database, running_stack(database, folder) as stack:
        yield Site(stack, stack.start_web(), stack.start_ingest())


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fails the test when the browser complained of something it did not expect."""
    complaints = Complaints()
    yield complaints
    assert complaints.heard == []


@pytest.fixture
def new_page(browser: Browser, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """Opens pages in contexts of their own: `new_page(width=390, color_scheme="dark")`."""
    contexts: list[BrowserContext] = []

    def make(width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        complaints.listen(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def picture() -> Callable[[Page, str], Path]:
    def take(page: Page, name: str) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path, full_page=True, animations="disabled")
        return path

    return take
