"""A worker process for fault tests.

`python -m tests.support.drainer stop` freezes itself before COMMIT; `loop` forks a child that drains for ever, and
another when it dies; `die N` forks N children, one after the other, that kill themselves before COMMIT.
"""

import os
import signal
import sys
import time
from datetime import timedelta

import django

django.setup()

from processing import draining, isolation, storage  # noqa: E402 - models need settings first
from tests.support.windows import ALL  # noqa: E402


def send_to_self(number: signal.Signals) -> None:
    """Replace the failpoints before COMMIT."""

    def failpoint(name: str) -> None:
        os.kill(os.getpid(), number)

    for module in (draining, isolation):
        setattr(module, "failpoint", failpoint)  # noqa: B010 - not exported, and not meant to be


def drain_for_ever() -> None:
    while True:
        draining.drain_partitions(partitions=ALL)
        time.sleep(0.005)


def in_child(work: object) -> None:
    """Run `work` in a forked child, and wait for its end."""
    assert callable(work)
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    os.waitpid(pid, 0)


def main(how: str, count: str = "1") -> None:
    storage.LEASE = timedelta(0)
    if how == "stop":
        send_to_self(signal.SIGSTOP)
        draining.drain_partitions(partitions=ALL)
    elif how == "die":
        send_to_self(signal.SIGKILL)
        for _ in range(int(count)):
            in_child(lambda: draining.drain_partitions(partitions=ALL))
    else:
        while True:
            in_child(drain_for_ever)


if __name__ == "__main__":
    main(*sys.argv[1:])
