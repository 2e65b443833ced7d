"""The web process dies between storing a replayed event and marking its row; workers finish, and store no other."""

import json
import signal

import httpx

from tests.support.databases import ScratchDatabase
from tests.support.processes import run_manage
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

STATE = "SELECT state FROM rejected_event WHERE project_id = %s"
STORED = "SELECT count(*) FROM event WHERE project_id = %s"
SAME = "SELECT event.uid = rejected_event.uid FROM event JOIN rejected_event USING (project_id) WHERE project_id = %s"


def test_a_replay_whose_process_is_killed_before_the_mark_stores_one_event(
    stack: Stack, project: Seeded, database: ScratchDatabase
) -> None:
    mine = (project.project_id,)  # other tests left rows of their own in this database
    arguments = ["keys", "create", "--project", project.slug, "--scope", "manage", "--json"]
    key = json.loads(run_manage(stack.environment("web"), *arguments))["key"]
    web = stack.start_web(STREAMGAUGE_FAILPOINT="replay.before_mark")
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}/api/v1", timeout=30) as client:
        refused = {"type": "t", "value": "x"}
        client.post("/events", json=refused, headers={"Authorization": f"Bearer {project.ingest_key}"})
        client.headers["Authorization"] = f"Bearer {key}"
        (row,) = client.get("/rejected").json()["items"]
        try:
            client.post(f"/rejected/{row['id']}/replay", json={"text": '{"type": "t", "value": 1}'})
        except httpx.TransportError:
            pass
        else:
            raise AssertionError("the failpoint was not reached")
    assert web.process.wait_until_dead() == -signal.SIGKILL
    assert database.value(STATE, mine) == "replaying"
    assert database.value(STORED, mine) == 1
    database.execute(
        "UPDATE rejected_event SET changed_at = changed_at - INTERVAL '5 minutes' WHERE project_id = %s", mine
    )
    stack.start_worker()
    stack.start_beat()
    wait_for(
        lambda: database.value(STATE, mine) == "replayed",
        seconds=60,
        what="the workers to finish the replay",
    )
    assert database.value(STORED, mine) == 1
    assert database.value(SAME, mine) is True
