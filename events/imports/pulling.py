"""Scheduled pulls: what people do with them, and a worker's visit to the next one that is due."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import structlog
import uuid_utils.compat
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from events.errors import RequestRefused
from events.imports.files import Received, receive, remove_files
from events.imports.mapping import Mapping, mapping_document, parse_mapping
from events.imports.models import ImportPull
from events.imports.schedules import next_run
from events.imports.services import create_import
from events.imports.sniffing import FORMATS
from events.outbound import Answered, OutboundError, OutboundRefused, allow, request

MOST_PULLS: Final = 100
NAME: Final = 200
URL: Final = 2_000

log = structlog.get_logger(__name__)


def create_pull(
    *,
    project_id: int,
    name: str,
    url: str,
    cron: str,
    created_by: str,
    file_format: str = "",
    mapping: Mapping | None = None,
    using: str = "default",
) -> ImportPull:
    """A pull that is first due when its schedule says. Raises RequestRefused (400, 409)."""
    pulls = ImportPull.objects.using(using)
    if pulls.filter(project_id=project_id).count() >= MOST_PULLS:
        raise RequestRefused(
            409, "too_many_pulls", f"A project has at most {MOST_PULLS} pulls; delete one first."
        )
    if not 0 < len(name.strip()) <= NAME or not name.isprintable():
        raise RequestRefused(400, "invalid_name", f"Give the pull a name of 1 to {NAME} characters.")
    if file_format not in {"", *FORMATS}:
        raise RequestRefused(400, "unknown_format", f"format must be one of {', '.join(FORMATS)}.")
    check_url(url)
    return pulls.create(
        project_id=project_id,
        name=name.strip(),
        url=url,
        cron=" ".join(cron.split()),
        created_by=created_by[:200],
        format=file_format,
        mapping=mapping_document(mapping) if mapping else None,
        next_at=next_run(cron, timezone.now()),
    )


def check_url(url: str) -> None:
    """Raises RequestRefused (400) for one that may not be fetched; one that is only away just now is fine."""
    if len(url) > URL or not url.isprintable():
        raise RequestRefused(
            400, "invalid_url", f"The URL must be printable and have at most {URL} characters."
        )
    try:
        allow(url)
    except OutboundRefused as error:
        raise RequestRefused(400, "invalid_url", str(error)) from None
    except OutboundError:
        return


def list_pulls(*, project_id: int, using: str = "default") -> list[ImportPull]:
    """By name."""
    return list(ImportPull.objects.using(using).filter(project_id=project_id).order_by("name", "id"))


def find_pull(*, project_id: int, pull_id: int, using: str = "default") -> ImportPull | None:
    """A pull, if it is the project's."""
    return ImportPull.objects.using(using).filter(project_id=project_id, pk=pull_id).first()


def set_pull_enabled(*, pull: ImportPull, enabled: bool) -> ImportPull:
    """Pause or resume; what is under way ends as it will."""
    pull.enabled = enabled
    pull.next_at = next_run(pull.cron, timezone.now())
    pull.save(update_fields=["enabled", "next_at"])
    return pull


def run_pull_now(*, pull: ImportPull) -> ImportPull:
    """Have a worker look within seconds, whatever its schedule says."""
    pull.enabled, pull.next_at = True, timezone.now()
    pull.save(update_fields=["enabled", "next_at"])
    return pull


def delete_pull(*, pull: ImportPull) -> None:
    """End a schedule; its imports stay."""
    pull.delete()


def pull_due(*, using: str = "default") -> int | None:
    """Fetch the file that has been due longest, and import it if it changed; the pull's id, or None."""
    pull = _claim(using)
    if pull is None:
        return None
    try:
        _visit(pull)
    except (OutboundError, RequestRefused) as error:
        log.warning("pull_failed", pull=pull.pk, error=str(error))
        with suppress(_TakenOver):
            _settle(pull, result="failed", error=str(error))
    except _TakenOver:
        log.warning("pull_taken_over", pull=pull.pk)
    return pull.pk


class _TakenOver(Exception):
    """The visit took longer than its lease: another process has made one since."""


def _claim(using: str) -> ImportPull | None:
    """Nobody else visits it until the lease ends, which it does when this process dies."""
    now = timezone.now()
    with transaction.atomic(using=using):
        due = ImportPull.objects.using(using).filter(
            Q(lease_until=None) | Q(lease_until__lt=now), enabled=True, next_at__lte=now
        )
        pull = due.order_by("next_at").select_for_update(skip_locked=True).first()
        if pull is not None:
            pull.lease = uuid_utils.compat.uuid7()
            pull.lease_until = now + timedelta(seconds=settings.IMPORT_PULL_SECONDS + 60)
            pull.save(update_fields=["lease", "lease_until"])
    return pull


def _settle(pull: ImportPull, **outcome: Any) -> None:
    """Write down what came of a visit. Raises _TakenOver."""
    now = timezone.now()
    held = ImportPull.objects.using(pull._state.db).filter(pk=pull.pk, lease=pull.lease)
    due = next_run(pull.cron, now)
    if held.update(lease=None, lease_until=None, checked_at=now, next_at=due, **outcome) != 1:
        raise _TakenOver


def _visit(pull: ImportPull) -> None:
    """Raises OutboundError, RequestRefused and _TakenOver."""
    headers = {"If-None-Match": pull.etag, "If-Modified-Since": pull.last_modified}
    with request(
        "GET",
        allow(pull.url),
        headers={name: value for name, value in headers.items() if value},
        seconds=settings.IMPORT_PULL_SECONDS,
    ) as answer:
        received = None if answer.status == 304 else _receive(answer)
    if received is None:
        _settle(pull, result="unchanged", error="")
    elif received.sha256 == pull.sha256:
        remove_files(received.id)
        _settle(pull, result="unchanged", error="", **_marks(answer))
    else:
        _import(pull, received, answer)


def _marks(answer: Answered) -> dict[str, str]:
    """What tells the server next time which state of the file is here."""
    headers = answer.headers
    return {"etag": headers.get("etag", "")[:500], "last_modified": headers.get("last-modified", "")[:100]}


def _require_ok(answer: Answered) -> None:
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "elsewhere")[:200]
        raise OutboundError(f"The server redirects to {where}: give that URL, if you trust it.")
    if answer.status != 200:
        raise OutboundError(f"The server answered {answer.status}, not 200.")


def _receive(answer: Answered) -> Received:
    _require_ok(answer)
    length = answer.headers.get("content-length", "")
    return receive(answer.pieces, announced=int(length) if length.isdecimal() else None)


def _import(pull: ImportPull, received: Received, answer: Answered) -> None:
    """The import and the news of it in one transaction: a visit that was cut short has made none."""
    using = pull._state.db or "default"
    try:
        with transaction.atomic(using=using):
            job = create_import(
                received=received,
                project_id=pull.project_id,
                created_by=f"pull {pull.name}",
                name=pull.url.partition("?")[0].rpartition("/")[2] or pull.name,
                content_type=answer.headers.get("content-type", ""),
                file_format=pull.format,
                mapping=parse_mapping(pull.mapping) if pull.mapping else None,
                using=using,
            )
            outcome = {"result": "imported", "error": "", "sha256": received.sha256, "last_job_id": job.pk}
            _settle(pull, **outcome, **_marks(answer))
    except _TakenOver:
        remove_files(received.id)
        raise
