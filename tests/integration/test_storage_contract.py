"""The storage contract on the provisioned server, whichever edition it runs."""

import pytest

pytest.register_assert_rewrite("tests.contracts.storage_contract")

from tests.contracts.native import database  # noqa: E402
from tests.contracts.storage_contract import *  # noqa: E402, F403 - the suite, to be collected here

__all__ = ["database"]
