"""A client of the live socket inside the test's process, and rows for it to see."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import Project, User
from accounts.roles import Role
from accounts.services import add_member, create_key, create_project
from monitoring.consumers import LiveConsumer
from monitoring.limits import Limits
from monitoring.live import Publisher

ORIGIN = b"http://testserver"
Frame = dict[str, Any]


class HintingThread:
    """Publishes hints as a process's hint sender does: from one thread that keeps its connection."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._publisher = Publisher()

    async def publish(self, *project_ids: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._publisher.publish, project_ids)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._publisher.close)
        self._thread.shutdown()


@dataclass(frozen=True)
class Place:
    """A project, a viewer of it who is signed in, and a key with the scope read."""

    project: Project
    viewer: User
    session_key: str
    read_key: str


def make_place(slug: str = "") -> Place:
    slug = slug or f"p-{uuid4().hex[:12]}"
    project = create_project(slug=slug, name=slug)
    viewer = User.objects.create_user(username=f"viewer-of-{slug}")
    add_member(user=viewer, project=project, role=Role.VIEWER)
    key = create_key(project=project, scopes=["read"])
    return Place(project, viewer, sign_in(viewer), key.text)


def sign_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def add_counts(project: Project, *, accepted: int = 0, rejected: int = 0, seconds_ago: int = 0) -> None:
    """A row of ingest_count, as the writer's flush would add."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingest_count (project_id, second, type, process, accepted, rejected)"
            " VALUES (%s, date_trunc('second', clock_timestamp()) - %s * interval '1 second', 'test', %s, %s, %s)",
            [project.pk, seconds_ago, uuid4(), accepted, rejected],
        )


class LiveClient:
    """Sends and receives JSON frames."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def send(self, **frame: Any) -> None:
        await self.communicator.send_to(text_data=json.dumps(frame))

    async def receive(self, seconds: float = 5.0) -> Frame:
        frame: Frame = json.loads(await self.communicator.receive_from(timeout=seconds))
        return frame

    async def receive_when(self, seconds: float = 10.0, **wanted: Any) -> Frame:
        """The first frame with these members; those before it are acknowledged."""
        async with asyncio.timeout(seconds):
            while True:
                frame = await self.receive(seconds)
                if "seq" in frame:
                    await self.send(ack=frame["seq"])
                if all(frame.get(name) == value for name, value in wanted.items()):
                    return frame

    async def closed(self, seconds: float = 10.0) -> int:
        """The code the server closes with; frames before that are read past."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.communicator.receive_output(timeout=seconds)
                if message["type"] == "websocket.close":
                    return int(message.get("code") or 1000)

    async def subscribe(self, project: Project, **more: Any) -> Frame:
        await self.send(subscribe="overview", params={"project": project.slug}, **more)
        return await self.receive()


@asynccontextmanager
async def live_client(
    session_key: str | None = None,
    *,
    origin: bytes | None = ORIGIN,
    limits: Limits | None = None,
    ready: bool = True,
) -> AsyncIterator[LiveClient]:
    """A socket of a page with this session; of a program with `origin=None`."""
    headers = [(b"host", b"testserver")]
    if origin is not None:
        headers.append((b"origin", origin))
    if session_key is not None:
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session_key}".encode()))
    application = LiveConsumer.as_asgi(limits=limits or Limits())
    communicator = WebsocketCommunicator(application, "/ws/v1/live", headers=headers)
    connected, code = await communicator.connect(timeout=5)
    if not connected:
        raise ConnectionRefusedError(code)
    client = LiveClient(communicator)
    if session_key is not None and ready:
        assert (await client.receive())["kind"] == "ready"
    try:
        yield client
    finally:
        await communicator.disconnect()
