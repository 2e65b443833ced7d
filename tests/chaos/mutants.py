"""The product with one protection taken out, in child processes only: the suite must notice each."""

import os
from pathlib import Path

NAME = "CHAOS_MUTANT"
FOLDER = Path(__file__).parent / "mutations"
# Each with the test that must fail under it.
MUTANTS = {
    "no_identity": "tests/chaos/test_ingest_killed.py::"
    "test_a_kill_right_beside_commit_stores_the_flush_once_after_the_retry[ingest.after_commit]",
    "acknowledge_before_commit": "tests/chaos/test_ingest_killed.py::"
    "test_a_kill_right_beside_commit_stores_the_flush_once_after_the_retry[ingest.before_commit]",
    "state_apart_from_deletion": "tests/chaos/test_workers_killed.py::"
    "test_a_worker_that_dies_between_folding_and_commit_counts_nothing_twice",
    "no_flush_receipt": "tests/chaos/test_lost_answers.py::"
    "test_a_flush_whose_commit_was_not_answered_is_stored_once_and_answered_rightly",
    "rotation_without_epoch": "tests/chaos/test_rotation.py::"
    "test_two_flushes_of_the_same_ids_across_a_rotation_store_each_event_once",
    "drain_under_new_ids": "tests/chaos/test_spool.py::test_a_drain_killed_after_commit_stores_nothing_twice",
    "spool_in_memory": "tests/chaos/test_spool.py::"
    "test_an_ingest_process_killed_while_it_spools_leaves_all_it_answered_to_the_next",
    "locks_outlive_a_frozen_process": "tests/chaos/test_frozen.py::"
    "test_a_frozen_ingest_process_lets_go_of_its_locks",
}


def mutation() -> dict[str, str]:
    """What the environment of children needs so that they are this run's mutant; nothing for the real product.

    Python imports `sitecustomize` from PYTHONPATH at the start, which patches the module as it is imported.
    """
    mutant = os.environ.get(NAME)
    return {NAME: mutant, "PYTHONPATH": str(FOLDER)} if mutant else {}
