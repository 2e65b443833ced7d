"""Housekeeping of the ingest tables: what is pruned after which time, and how counts are folded."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from accounts.selectors import rejected_retentions
from events.queries import fetch, query

BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A statement that treats at most %(limit)s rows older than %(age)s, oldest first by an index."""

    name: str
    statement: str
    age: timedelta
    own_ages: Callable[[], Mapping[int, timedelta]] | None = None  # by project, where each decides for itself

    def parameters(self, limit: int) -> dict[str, object]:
        parameters: dict[str, object] = {"age": self.age, "limit": limit}
        if self.own_ages is not None:
            own = self.own_ages()
            parameters |= {"projects": list(own), "ages": list(own.values())}
        return parameters


# A flush whose COMMIT got lost is retried for seconds, and a spool is drained within hours: a day covers both. Should
# an entry of the spool be older, the key of `event` finds what it had stored (docs/operating.md, "The spool").
# Idempotency keys are promised for a day.
# Refused events wait for somebody to correct them, a month unless their project says otherwise; they carry their raw
# bytes, and any key can make them.
# The live page reads a quarter of an hour of counts by second, and one minute of latencies.
RULES: Final = (
    Rule("ingest_flush", query("prune_ingest_flush"), timedelta(days=1)),
    Rule("idempotency", query("prune_idempotency"), timedelta(days=1)),
    Rule("event_tail", query("prune_event_tail"), timedelta(minutes=15)),
    Rule("ingest_latency", query("prune_ingest_latency"), timedelta(days=1)),
    Rule("rejected_event", query("prune_rejected_event"), timedelta(days=30), rejected_retentions),
    Rule("rejected_bulk", query("prune_rejected_bulk"), timedelta(days=30)),
    Rule("schema_warning", query("prune_schema_warning"), timedelta(days=30)),
    Rule("ingest_count", query("fold_ingest_count"), timedelta(days=1)),
    Rule("ingest_drop", query("prune_ingest_drop"), timedelta(days=30)),
    Rule("ingest_usage", query("prune_ingest_usage"), timedelta(days=30)),
)


def prune_ingest_tables(
    *, seconds: float = 20.0, batch: int = BATCH, using: str = "default"
) -> dict[str, int]:
    """Prune and fold by RULES, a short transaction a batch, for about `seconds`. Returns rows treated by table.

    Safe to repeat and to run twice at once: what one has taken, the other does not find.
    """
    deadline = time.monotonic() + seconds
    return {rule.name: _apply_rule(rule, batch, deadline, using) for rule in RULES}


def _apply_rule(rule: Rule, batch: int, deadline: float, using: str) -> int:
    """Batches until one is not full. Each rule gets at least one, or the first would starve the others."""
    total: int = 0
    parameters = rule.parameters(batch)
    while True:
        [(treated,)] = fetch(using, rule.statement, parameters)
        total += treated
        if treated < batch or time.monotonic() >= deadline:
            return total
