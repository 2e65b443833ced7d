"""The thread that sends hints: coalesced, bounded, never in anybody's way."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from telemetry.hints import HintSender
from tests.support.waiting import wait_for


class Post:
    """Where hints go to. While `frozen`, it takes none and answers nobody."""

    def __init__(self) -> None:
        self.taken: list[frozenset[int]] = []
        self.thawed = threading.Event()
        self.thawed.set()
        self.broken = False

    def __call__(self, items: frozenset[int]) -> None:
        self.thawed.wait(5)
        if self.broken:
            raise ConnectionError("no post today")
        self.taken.append(items)

    @property
    def items(self) -> set[int]:
        return {item for items in self.taken for item in items}


class Pipe(list[frozenset[int]]):
    """Where a forked child's hints go, so that its parent can read them."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def append(self, items: frozenset[int]) -> None:
        os.write(self._descriptor, bytes(items))


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def sender(post: Post) -> Iterator[HintSender[int]]:
    sender = HintSender(post, name="test", per_second=20, capacity=100)
    yield sender
    post.thawed.set()
    sender.close()


def test_what_is_marked_is_sent(post: Post, sender: HintSender[int]) -> None:
    sender.mark([1, 2])
    wait_for(lambda: post.items == {1, 2}, seconds=5, what="the hint")


def test_no_thread_runs_before_the_first_mark(post: Post) -> None:
    before = threading.active_count()
    HintSender(post, name="idle")
    assert threading.active_count() == before


def test_many_marks_make_few_sends(post: Post, sender: HintSender[int]) -> None:
    begun = time.monotonic()
    for _ in range(300):
        sender.mark([1])
        time.sleep(0.001)
    wait_for(lambda: post.taken, seconds=5, what="the hint")
    assert len(post.taken) <= (time.monotonic() - begun) * 20 + 1


def test_a_frozen_receiver_holds_up_nobody_who_marks(post: Post, sender: HintSender[int]) -> None:
    post.thawed.clear()
    begun = time.monotonic()
    for n in range(1000):
        sender.mark([n % 50])
    assert time.monotonic() - begun < 1
    post.thawed.set()
    wait_for(lambda: post.items == set(range(50)), seconds=5, what="the hints")


def test_what_it_remembers_is_bounded(post: Post, sender: HintSender[int]) -> None:
    post.thawed.clear()
    sender.mark([0])
    sender.mark(range(1000))
    post.thawed.set()
    wait_for(lambda: len(post.items) >= 100, seconds=5, what="the hints")
    assert len(post.items) <= 101
    assert sender.dropped >= 899


def test_a_failure_is_counted_forgotten_and_ends_nothing(post: Post, sender: HintSender[int]) -> None:
    post.broken = True
    sender.mark([1])
    wait_for(lambda: sender.failed == 1, seconds=5, what="the failure")
    post.broken = False
    sender.mark([2])
    wait_for(lambda: post.taken == [frozenset({2})], seconds=5, what="the next hint")
    assert (sender.sent, sender.failed) == (1, 1)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_sends_with_a_thread_of_its_own(post: Post, sender: HintSender[int]) -> None:
    sender.mark([1])
    wait_for(lambda: post.taken, seconds=5, what="the parent's hint")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        post.taken = Pipe(write)
        sender.mark([7])
        time.sleep(1)
        os._exit(0)
    os.waitpid(pid, 0)
    os.set_blocking(read, False)
    assert os.read(read, 10) == b"\x07"
    os.close(read)
    os.close(write)


def test_closing_sends_the_rest(post: Post) -> None:
    sender = HintSender(post, name="closing", per_second=1)
    sender.mark([1])
    wait_for(lambda: post.taken, seconds=5, what="the first hint")
    sender.mark([2])
    sender.close(seconds=5)
    assert post.items == {1, 2}
