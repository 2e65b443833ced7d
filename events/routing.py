"""Which events the log keeps: those that an enabled pipeline wants."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

_CACHED_ANSWERS = 10_000


class Routes:
    """A version of the routing table, with its answers remembered by (project, type)."""

    def __init__(self, version: int, rows: Iterable[tuple[int, str]]) -> None:
        self.version = version
        self._patterns: dict[int, list[str]] = {}
        for project_id, pattern in rows:
            self._patterns.setdefault(project_id, []).append(pattern)
        self._answers: dict[tuple[int, str], bool] = {}

    def wants_any(self, project_id: int) -> bool:
        return project_id in self._patterns

    def wants(self, project_id: int, event_type: str) -> bool:
        patterns = self._patterns.get(project_id)
        if patterns is None:
            return False
        answer = self._answers.get((project_id, event_type))
        if answer is None:
            if len(self._answers) >= _CACHED_ANSWERS:
                self._answers.clear()
            answer = any(fnmatchcase(event_type, pattern) for pattern in patterns)
            self._answers[project_id, event_type] = answer
        return answer


NO_ROUTES = Routes(0, ())
