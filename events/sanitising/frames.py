"""The texts of a request's events as they may be kept, each cleaned only when it is asked for."""

from collections.abc import Callable, Sequence
from typing import overload


class CleanFrames(Sequence[bytes]):
    """`frames` through `clean`. Most are never asked for: only refused events are kept as texts."""

    def __init__(self, frames: Sequence[bytes], clean: Callable[[bytes], bytes]) -> None:
        self._frames = frames
        self._clean = clean

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self._clean(frame) for frame in self._frames[place]]
        return self._clean(self._frames[place])
