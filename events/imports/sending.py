"""Batches on their way through the writer, a few at a time, each with its progress."""

import time
from collections import deque
from concurrent.futures import Future
from typing import Final

from accounts.identity import KeyIdentity
from events.errors import IngestError, OutcomeUnknown, Overloaded
from events.imports.identity import import_identity
from events.imports.models import ImportJob
from events.imports.reading import Batch
from events.imports.storage import Cursor, Lease
from events.policies import Policy
from events.requests import IngestOptions
from events.services import fetch_policy, ingest_events
from events.submissions import Verdicts

# While one is committed, the next are decoded; the writer puts those that wait into one flush.
AT_ONCE: Final = 4
VERDICT_SECONDS: Final = 15.0
POLICY_SECONDS: Final = 1.0
OPTIONS: Final = IngestOptions("ndjson", "", "store", False)


class Sender:
    """Sends one import's batches in order. Each commits only behind the one before it, or not at all.

    Its methods raise LeaseLost when the import is no longer this worker's, and Overloaded and OutcomeUnknown when the
    database does not do its part: what is certain is in the import's row, so that anybody may go on from there.
    """

    def __init__(self, job: ImportJob, lease: Lease) -> None:
        self._job = job
        self._lease = lease
        self._waiting: deque[Future[Verdicts]] = deque()
        self._identity: KeyIdentity
        self._policy: Policy
        self._policy_until = 0.0

    def send(self, batch: Batch) -> None:
        """Queue a batch, once fewer than AT_ONCE wait. Also raises ImportFailed and django.db.Error."""
        if not batch.body or batch.body.isspace():
            self.settle()
            self._lease.advance_alone(batch)
            return
        while len(self._waiting) >= AT_ONCE:
            self._settle_one()
        self._submit(batch)

    def settle(self) -> None:
        """Until all that was sent is committed."""
        while self._waiting:
            self._settle_one()

    def _submit(self, batch: Batch) -> None:
        """A full queue is waited for as long as there is something of ours in it."""
        self._look_at_policy()
        while True:
            try:
                self._ingest(batch)
            except Overloaded:
                if not self._waiting:
                    raise
                self._settle_one()
            else:
                return

    def _ingest(self, batch: Batch) -> None:
        answered: Future[Verdicts] = Future()

        def advance(cursor: Cursor, verdicts: Verdicts) -> None:
            self._lease.advance(cursor, batch, verdicts)

        ingest_events(
            identity=self._identity,
            body=batch.body,
            options=OPTIONS,
            policy=self._policy,
            request_id=f"import-{self._job.id}",
            arrived=time.monotonic(),
            deliver=lambda answer: _settle(answered, answer),
            companion=advance,
            using=self._lease.using,
        )
        self._waiting.append(answered)

    def _settle_one(self) -> None:
        try:
            self._waiting.popleft().result(VERDICT_SECONDS)
        except TimeoutError:
            raise OutcomeUnknown("The database did not answer in time; the import goes on later.") from None

    def _look_at_policy(self) -> None:
        """What the project asks of its events may change while a file is read."""
        if time.monotonic() >= self._policy_until:
            self._identity = import_identity(project_id=self._job.project_id, key_id=self._job.key_id)
            self._policy = fetch_policy(self._identity)
            self._policy_until = time.monotonic() + POLICY_SECONDS


def _settle(future: "Future[Verdicts]", answer: Verdicts | IngestError) -> None:
    if isinstance(answer, Verdicts):
        future.set_result(answer)
    else:
        future.set_exception(answer)
