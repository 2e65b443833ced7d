"""What `make up` starts and says."""

from pathlib import Path

from provisioning.environment import DATABASE, REDIS, write_environment
from provisioning.launch import Accounts, banner, child_environment, forget_own_urls
from provisioning.places import Places
from provisioning.processes import installation, replay

WEB, INGEST = "http://127.0.0.1:8000", "http://127.0.0.1:8001"


def test_the_banner_names_the_page_the_login_and_a_curl_that_works() -> None:
    text = banner(WEB, INGEST, Accounts("admin", "long password", "sg_key"))
    assert f"Open      {WEB}/\n" in text
    assert "Sign in   admin / long password\n" in text
    assert f"curl {INGEST}/api/v1/events -H 'Authorization: Bearer sg_key'" in text
    assert """-d '{"type": "hello", "value": 1}'""" in text


def test_the_banner_does_not_make_up_what_it_does_not_know() -> None:
    text = banner(WEB, INGEST, Accounts("admin", None, None))
    assert "admin / the password you chose" in text
    assert "Bearer YOUR_KEY" in text


def test_behind_tls_the_curl_trusts_the_local_authority() -> None:
    secure = "https://localhost:8443"
    text = banner(secure, secure, Accounts("admin", None, "sg_key"), trust=Path("/here/root.crt"))
    assert f"curl --cacert /here/root.crt {secure}/api/v1/events" in text
    assert "imported /here/root.crt" in text


def test_each_process_has_its_mode_and_its_port() -> None:
    environment = {
        "STREAMGAUGE_WEB_PORT": "9000",
        "STREAMGAUGE_INGEST_PORT": "9001",
        "STREAMGAUGE_BIND": "::1",
    }
    children = {child.name: child for child in installation(environment, Path("/local"))}
    assert {name: child.environment["STREAMGAUGE_MODE"] for name, child in children.items()} == {
        "web": "web",
        "ingest": "ingest",
        "worker": "worker",
        "beat": "worker",
    }
    assert {"9000", "::1"} <= set(children["web"].command)
    assert {"9001", "::1"} <= set(children["ingest"].command)
    assert all(child.restart for child in children.values())


def test_the_replay_may_end_and_keeps_its_key_out_of_the_process_list() -> None:
    child = replay(INGEST, "sg_key")
    assert not child.restart
    assert "sg_key" not in " ".join(child.command)
    assert child.environment == {"STREAMGAUGE_KEY": "sg_key"}


def test_children_get_fresh_urls_and_the_operators_own_win(tmp_path: Path) -> None:
    places = Places(tmp_path)
    write_environment(places.environment_file, {DATABASE: "postgres://old", REDIS: "redis://ours"})
    environment = {DATABASE: "postgres://old", REDIS: "redis://theirs", "HOME": "/home/ada"}
    forget_own_urls(places, environment)
    write_environment(places.environment_file, {DATABASE: "postgres://new"})
    seen = child_environment(places, environment)
    assert seen[DATABASE] == "postgres://new"
    assert seen[REDIS] == "redis://theirs"
    assert seen["HOME"] == "/home/ada"
    assert seen["PYTHONPATH"] == f"{tmp_path}:{tmp_path / 'platform'}"
