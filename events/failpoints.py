"""Places where a fault run may kill this process: STREAMGAUGE_FAILPOINT=name[:n], at the n-th time."""

import os
import signal

_name, _, _count = os.environ.get("STREAMGAUGE_FAILPOINT", "").partition(":")
_remaining = int(_count or 1)


def failpoint(name: str) -> None:
    """Die by SIGKILL here, as a power cut would, when the environment names this place."""
    global _remaining
    if name == _name:
        _remaining -= 1
        if _remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
