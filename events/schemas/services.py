"""Every change to schemas: each is one transaction, audited, and in force everywhere within a second."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from accounts.models import User
from accounts.services import bump_policy_version
from events.errors import IngestError
from events.schemas.compatibility import Finding, find_incompatible
from events.schemas.compiling import compile_schema, read_schema
from events.schemas.errors import SchemaInvalid
from events.schemas.inference import infer_schema
from events.schemas.models import EventSchema, SchemaVersion
from events.schemas.selectors import SAMPLE, documents_of, select_stored
from events.schemas.trials import Trial, try_schema
from events.type_names import is_type_name

Mode = EventSchema.Mode
MAX_SCHEMAS: Final = 500
MAX_VERSIONS: Final = 500


class SchemaRefused(IngestError):
    """The change would refuse what is accepted today: look at `findings` and `trial`, correct it, or force it."""

    def __init__(self, detail: str, *, findings: Sequence[Finding] = (), trial: Trial | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.findings = tuple(findings)
        self.trial = trial


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of a schema before it is saved: against the version before, and against stored events."""

    findings: list[Finding] = field(default_factory=list)
    trial: Trial | None = None

    @property
    def breaking(self) -> bool:
        return any(finding.level == "breaking" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Saved:
    """A new version, and what was found when it was compared with the one before."""

    version: SchemaVersion
    findings: list[Finding]


def check_schema(*, project_id: int, event_type: str, text: str, last: int = SAMPLE) -> Checked:
    """Compile a schema, compare it with the type's current version, and try it on stored events; nothing is saved.

    Raises SchemaInvalid, Overloaded.
    """
    compile_schema(text)
    known = EventSchema.objects.filter(project_id=project_id, type=event_type).first()
    findings = _compare(known.current.text, text) if known else []
    trial = try_schema(project_id=project_id, event_type=event_type, text=text, last=last)
    return Checked(findings, trial)


def save_version(
    *,
    project_id: int,
    event_type: str,
    text: str,
    note: str = "",
    user: User | None = None,
    author: str = "",
    force: bool = False,
) -> Saved:
    """Make a text the current version of a type's schema; the first one makes the schema, in mode `off`.

    Raises SchemaInvalid; and for a schema in mode `enforce`, unless `force`, SchemaRefused when the new version
    breaks the old one or would refuse stored events.
    """
    check_type(event_type)
    compile_schema(text)
    with transaction.atomic():
        schema = _locked(project_id, event_type)
        findings = _compare(schema.current.text, text) if schema.version else []
        if schema.mode == Mode.ENFORCE and not force:
            _refuse_harm(schema, text, findings)
        number = schema.versions.values_list("number", flat=True).first() or 0
        if number >= MAX_VERSIONS:
            raise SchemaInvalid.at("", f"This schema has {number} versions already; that is the limit.")
        version = SchemaVersion(
            schema=schema, number=number + 1, text=text, note=note, created_by=user, author=author
        )
        version.save()
        schema.version = version.number
        schema.save(update_fields=["version", "changed_at"])
        bump_policy_version(project_id=project_id)
    return Saved(version, findings)


def use_version(*, schema: EventSchema, number: int, force: bool = False) -> EventSchema:
    """Make an earlier (or later) version the current one again. Raises SchemaRefused as `save_version` does."""
    with transaction.atomic():
        locked = EventSchema.objects.select_for_update().get(pk=schema.pk)
        version = locked.versions.get(number=number)
        if locked.mode == Mode.ENFORCE and not force:
            _refuse_harm(locked, version.text, _compare(locked.current.text, version.text))
        locked.version = number
        locked.save(update_fields=["version", "changed_at"])
        bump_policy_version(project_id=locked.project_id)
    return locked


def set_mode(
    *, schema: EventSchema, mode: str, last: int = SAMPLE, force: bool = False
) -> tuple[EventSchema, Trial | None]:
    """Change a schema's mode. `enforce` first tries the current version on stored events.

    Raises SchemaRefused when some of them would be refused, unless `force`.
    """
    trial = None
    with transaction.atomic():
        locked = EventSchema.objects.select_for_update().get(pk=schema.pk)
        if mode == Mode.ENFORCE and not force:
            trial = _try(locked, locked.current.text, last)
            if trial.failing:
                raise SchemaRefused(_would_refuse(trial), trial=trial)
        locked.mode = mode
        locked.save(update_fields=["mode", "changed_at"])
        bump_policy_version(project_id=locked.project_id)
    return locked, trial


def infer_text(*, project_id: int, event_type: str, last: int = SAMPLE) -> tuple[str, int]:
    """A first schema from the last stored events of a type, and how many they were. Raises Overloaded."""
    documents = documents_of(select_stored(project_id=project_id, event_type=event_type, last=last))
    return json.dumps(infer_schema(documents), indent=2, ensure_ascii=False), len(documents)


def check_type(event_type: str) -> None:
    """Raises SchemaInvalid for what no event's type can be."""
    if not is_type_name(event_type):
        raise SchemaInvalid.at("/type", "A type has 1 to 200 of A-Z a-z 0-9 . _ : / and -; correct it.")


def _locked(project_id: int, event_type: str) -> EventSchema:
    mine = EventSchema.objects.filter(project_id=project_id)
    if not mine.filter(type=event_type).exists():
        if mine.count() >= MAX_SCHEMAS:
            raise SchemaInvalid.at("/type", f"A project has at most {MAX_SCHEMAS} schemas; this is one more.")
        EventSchema.objects.get_or_create(
            project_id=project_id, type=event_type, defaults={"version": 0, "mode": Mode.OFF}
        )
    return mine.select_for_update().get(type=event_type)


def _compare(old: str, new: str) -> list[Finding]:
    return find_incompatible(read_schema(old), read_schema(new))


def _refuse_harm(schema: EventSchema, text: str, findings: list[Finding]) -> None:
    trial = _try(schema, text, SAMPLE)
    if trial.failing:
        raise SchemaRefused(_would_refuse(trial), findings=findings, trial=trial)
    if Checked(findings).breaking:
        detail = (
            "The schema is enforced, and this version refuses what the current one accepts; see findings."
        )
        raise SchemaRefused(f"{detail} Correct it, or force it.", findings=findings, trial=trial)


def _try(schema: EventSchema, text: str, last: int) -> Trial:
    return try_schema(project_id=schema.project_id, event_type=schema.type, text=text, last=last)


def _would_refuse(trial: Trial) -> str:
    counted = f"{trial.failing} of the last {trial.checked} stored events would be refused"
    return f"{counted}; see the examples. Correct the schema, or force it."
