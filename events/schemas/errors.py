"""What can be wrong with schemas, by what the caller should do about it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a schema, at a JSON pointer into the schema."""

    pointer: str
    message: str


class SchemaInvalid(ValueError):
    """Correct the schema at the pointers of `flaws`: nothing was saved."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(" ".join(f"{flaw.pointer or '/'}: {flaw.message}" for flaw in flaws))
        self.flaws = tuple(flaws)

    @classmethod
    def at(cls, pointer: str, message: str) -> "SchemaInvalid":
        return cls([Flaw(pointer, message)])
