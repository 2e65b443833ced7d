"""The suite must notice each protection that is taken out, or its silence means nothing."""

import os
import subprocess
import sys

import pytest

from tests.chaos.mutants import MUTANTS, NAME
from tests.support.processes import ROOT

TESTS_FAILED = 1  # pytest's exit code: collected, ran, and at least one failed


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_suite_notices_a_protection_that_is_taken_out(mutant: str, seed: int) -> None:
    environment = {**os.environ, NAME: mutant, "CHAOS_SEED": str(seed)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", MUTANTS[mutant]]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == TESTS_FAILED, done.stdout
    assert "AssertionError" in done.stdout, done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout
