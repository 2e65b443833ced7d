"""The memory of keys, by an injected clock."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from accounts.errors import InvalidKey
from accounts.identity import KeyIdentity
from accounts.key_table import MAX_REMEMBERED, KeyRow, KeyTable
from accounts.key_text import KEY_LENGTH, NewKey, generate_key, matches, prefix_of


class Desk:
    """A table whose wishes for reads are kept."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.used: dict[int, float] = {}
        self.table = KeyTable(want=self.wanted.append, used=self.used)

    def learn(self, key: NewKey, at: float, *, revoked: bool = False, left: float | None = None) -> None:
        identity = KeyIdentity(7, key.prefix, 1, "demo", frozenset({"ingest"}), None, 90, None)
        self.table.learn([key.prefix], [KeyRow(key.digest, identity, revoked, left)], at)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def key() -> NewKey:
    return generate_key()


def test_a_key_has_the_documented_form(key: NewKey) -> None:
    assert len(key.text) == KEY_LENGTH
    assert key.text.startswith(f"sg_{key.prefix}_")
    assert prefix_of(key.text) == key.prefix
    assert matches(key.text, key.digest)
    assert key.text not in repr(key.digest)


def test_keys_differ() -> None:
    assert len({generate_key().text for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text.upper(),
        lambda text: "sk" + text[2:],
        lambda text: text[:13] + "-" + text[14:],
        lambda text: text[:20] + "\n" + text[21:],
        lambda text: text + "\n",
        lambda text: text[:20] + "\ud800" + text[21:],
        lambda text: text[:20] + "é" + text[21:],
        lambda text: "1" * 57,
    ],
)
def test_what_cannot_be_a_key_is_refused_without_a_read(
    desk: Desk, key: NewKey, spoil: Callable[[str], str]
) -> None:
    with pytest.raises(InvalidKey, match="not an API key"):
        desk.table.find(spoil(key.text), 0.0)
    assert desk.wanted == []
    assert len(desk.table) == 0


def test_a_key_never_seen_must_be_read(desk: Desk, key: NewKey) -> None:
    assert desk.table.find(key.text, 0.0) is None


def test_a_fresh_entry_serves_without_a_read(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    assert desk.table.find(key.text, 100.39) is not None
    assert desk.wanted == []
    assert desk.used == {7: 100.39}


def test_an_older_entry_serves_and_asks_for_one_read(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    for now in (100.41, 100.5, 100.89):
        assert desk.table.find(key.text, now) is not None
    assert desk.wanted == [key.prefix]


def test_an_entry_of_nearly_a_second_must_be_read_before_answering(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    assert desk.table.find(key.text, 100.9) is None


def test_a_revoked_key_is_refused_from_its_next_read(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    desk.learn(key, 100.4, revoked=True)
    with pytest.raises(InvalidKey, match="revoked"):
        desk.table.find(key.text, 100.41)


def test_an_expiry_is_exact_between_reads(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0, left=0.2)
    assert desk.table.find(key.text, 100.19) is not None
    with pytest.raises(InvalidKey, match="expired"):
        desk.table.find(key.text, 100.2)


def test_a_wrong_secret_is_refused_without_a_read_and_is_no_use(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    wrong = key.text[:14] + generate_key().text[14:]
    with pytest.raises(InvalidKey, match="not known"):
        desk.table.find(wrong, 100.1)
    with pytest.raises(InvalidKey, match="not known"):
        desk.table.find(key.text[:30] + "\ud800" + key.text[31:], 100.1)
    assert desk.wanted == []
    assert desk.used == {}


def test_an_unknown_name_is_remembered_for_less_than_a_second(desk: Desk, key: NewKey) -> None:
    desk.table.learn([key.prefix], [], 100.0)
    with pytest.raises(InvalidKey, match="not known"):
        desk.table.find(key.text, 100.89)
    assert desk.table.find(key.text, 100.9) is None


def test_a_flood_of_unknown_names_is_bounded_and_evicts_no_real_key(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    base32 = str.maketrans("0189", "abcd")
    names = [f"{number:010d}".translate(base32) for number in range(3 * MAX_REMEMBERED)]
    desk.table.learn(names, [], 100.0)
    assert len(desk.table) == MAX_REMEMBERED + 1
    assert desk.table.find(key.text, 100.1) is not None


def test_a_deleted_key_is_refused_from_its_next_read(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    desk.table.learn([key.prefix], [], 100.4)
    with pytest.raises(InvalidKey, match="not known"):
        desk.table.find(key.text, 100.41)


def test_after_a_failed_read_the_next_use_asks_again(desk: Desk, key: NewKey) -> None:
    desk.learn(key, 100.0)
    desk.table.find(key.text, 100.5)
    desk.table.read_failed([key.prefix])
    assert desk.table.find(key.text, 100.6) is not None
    assert desk.wanted == [key.prefix, key.prefix]


def test_the_identity_is_the_project_s(desk: Desk, key: NewKey) -> None:
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    identity = KeyIdentity(9, key.prefix, 3, "flights", frozenset({"read"}), expires, 30, 2)
    desk.table.learn([key.prefix], [KeyRow(key.digest, identity, False, 1e9)], 0.0)
    assert desk.table.find(key.text, 0.1) == identity


def test_a_key_is_remembered_beyond_its_second_for_as_long_as_the_caller_says(
    desk: Desk, key: NewKey
) -> None:
    desk.learn(key, at=100.0)
    assert desk.table.find(key.text, 102.0) is None
    identity = desk.table.last_known(key.text, 102.0, 60.0)
    assert identity is not None
    assert identity.prefix == key.prefix
    assert desk.table.last_known(key.text, 159.9, 60.0) is not None
    assert desk.table.last_known(key.text, 160.1, 60.0) is None
    assert desk.table.last_known(generate_key().text, 102.0, 60.0) is None


def test_only_what_was_valid_when_it_was_read_is_remembered(desk: Desk, key: NewKey) -> None:
    desk.learn(key, at=100.0, revoked=True)
    with pytest.raises(InvalidKey):
        desk.table.last_known(key.text, 102.0, 60.0)
    desk.learn(key, at=100.0, left=5.0)
    assert desk.table.last_known(key.text, 104.0, 60.0) is not None
    with pytest.raises(InvalidKey):
        desk.table.last_known(key.text, 105.0, 60.0)
    with pytest.raises(InvalidKey):
        desk.table.last_known(key.text[:-1] + ("A" if key.text[-1] != "A" else "B"), 104.0, 60.0)
