"""How provisioning speaks: callers pass a function that takes one line."""

from collections.abc import Callable

Say = Callable[[str], None]
