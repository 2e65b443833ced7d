"""The topic `imports` of the live socket: who may see it, and how an import moves on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import User
from accounts.roles import Role
from accounts.services import add_member
from events.imports.files import receive
from events.imports.models import ImportJob
from events.imports.services import create_import
from monitoring.hub import hubs
from tests.support.live import Place, live_client, make_place, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(transactional_db: None, settings: Settings, tmp_path: Path) -> Place:
    settings.IMPORT_DIR = tmp_path / "imports"
    return make_place()


@pytest.fixture(autouse=True)
async def _nothing_stays_open() -> AsyncIterator[None]:
    yield
    assert len(hubs()) == 0


def make_import(place: Place) -> ImportJob:
    return create_import(
        received=receive([b'{"type": "a"}\n']), project_id=place.project.pk, created_by="t", name="a.ndjson"
    )


def sign_in_analyst(place: Place) -> str:
    user = User.objects.create_user("analyst")
    add_member(user=user, project=place.project, role=Role.ANALYST)
    return sign_in(user)


def advance(job: ImportJob) -> None:
    ImportJob.objects.filter(pk=job.pk).update(state="running", accepted=7, position=7, total=14)


async def test_an_analyst_sees_an_import_move(place: Place) -> None:
    job = await sync_to_async(make_import)(place)
    session = await sync_to_async(sign_in_analyst)(place)
    async with live_client(session) as client:
        await client.send(subscribe="imports", params={"project": place.project.slug})
        snapshot = await client.receive()
        (first,) = snapshot["data"]["imports"]
        assert (snapshot["topic"], first["id"], first["state"]) == ("imports", str(job.pk), "queued")
        await client.send(ack=snapshot["seq"])
        await sync_to_async(advance)(job)
        while not (delta := await client.receive())["data"]:
            await client.send(ack=delta["seq"])
        (moved,) = delta["data"]["imports"]
    assert (delta["kind"], moved["accepted"], moved["progress"]) == ("delta", 7, 0.5)


async def test_a_viewer_sees_the_overview_and_no_imports(place: Place) -> None:
    async with live_client(place.session_key) as client:
        await client.send(subscribe="imports", params={"project": place.project.slug})
        error = await client.receive()
        assert (error["code"], error["field"]) == ("forbidden", "params.project")
        assert (await client.subscribe(place.project))["topic"] == "overview"
