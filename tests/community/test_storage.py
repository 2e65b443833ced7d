"""The storage contract on TimescaleDB's Community edition, in WebAssembly."""

import pytest

from tests.contracts.storage_contract import *  # noqa: F403 - the suite, to be collected here

pytestmark = pytest.mark.community
