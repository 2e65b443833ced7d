"""Sign-in, sign-out, the throttle, the second factor; with Redis, without it, and with a frozen one."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

import accounts.cache
from accounts.models import AuditEntry, User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.integration.accounts_site")]
PASSWORD = "a long enough one"
LOGIN = "/accounts/login/"
CLOSED_SIGN_UPS = ["/accounts/signup/", "/accounts/password/reset/", "/accounts/email/"]


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    accounts.cache._away_until = 0.0
    cache.clear()
    yield
    accounts.cache._away_until = time.monotonic() + 60
    cache.clear()
    accounts.cache._away_until = 0.0


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def sign_in(client: Client, *, password: str = PASSWORD, username: str = "ada", **query: str) -> object:
    return client.post(LOGIN, {"login": username, "password": password, **query})


def is_signed_in(client: Client) -> bool:
    return client.get("/").content == b"Hello ada"


def test_a_user_name_and_a_password_sign_in(user: User) -> None:
    client = Client(enforce_csrf_checks=False)
    response = client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert is_signed_in(client)


def test_the_page_says_what_was_wrong_without_saying_who_exists(user: User) -> None:
    texts = []
    for username, password in (("ada", "wrong"), ("nobody", PASSWORD)):
        response = Client().post(LOGIN, {"login": username, "password": password})
        assert response.status_code == 200
        assert b"do not match" in response.content
        texts.append(response.context["form"].errors)
    assert texts[0] == texts[1]


def test_it_goes_back_to_the_page_that_was_asked_for_and_nowhere_else(user: User) -> None:
    inside = Client().post(LOGIN, {"login": "ada", "password": PASSWORD, "next": "/pages/x"})
    assert inside["Location"] == "/pages/x"
    outside = Client().post(LOGIN, {"login": "ada", "password": PASSWORD, "next": "https://elsewhere.test/"})
    assert outside["Location"] == "/"


def test_a_deactivated_account_does_not_sign_in(user: User) -> None:
    user.is_active = False
    user.save()
    client = Client()
    response = client.post(LOGIN, {"login": "ada", "password": PASSWORD}, follow=True)
    assert b"This account is switched off" in response.content
    assert not is_signed_in(client)


def test_signing_out_takes_a_post(user: User) -> None:
    client = Client()
    client.force_login(user)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_signed_in(client)
    assert client.post("/accounts/logout/").status_code == 302
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "path",
    ["password/", "password/set/", "reauthenticate/", "2fa/", "2fa/totp/activate/", "2fa/recovery-codes/"],
)
def test_account_pages_send_those_who_are_not_signed_in_to_sign_in(path: str) -> None:
    response = Client().get(f"/accounts/{path}")
    assert response.status_code == 302
    assert response["Location"].startswith(LOGIN)


def test_signing_in_and_out_needs_the_csrf_token(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(LOGIN, {"login": "ada", "password": PASSWORD}).status_code == 403
    client.force_login(user)
    assert client.post("/accounts/logout/").status_code == 403


@pytest.mark.parametrize("path", CLOSED_SIGN_UPS)
def test_nobody_signs_up_or_resets_by_mail(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_the_admin_sends_to_the_one_sign_in_page(user: User) -> None:
    response = Client().get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith(LOGIN)
    assert b'name="login"' in response.content


def fail_until_throttled(limit: int = 10) -> int:
    for attempt in range(limit):
        response = Client().post(LOGIN, {"login": "ada", "password": "wrong"})
        if b"Too many failed attempts" in response.content:
            return attempt
    return limit


def test_failed_attempts_are_throttled(user: User) -> None:
    assert fail_until_throttled() == 5
    client = Client()
    response = client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    assert b"Wait five minutes" in response.content
    assert not is_signed_in(client)


def test_without_redis_sign_in_works_and_is_still_throttled(user: User, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    client = Client()
    client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    assert is_signed_in(client)
    assert fail_until_throttled() == 5


def test_a_frozen_redis_does_not_hold_sign_in_up(user: User, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # accepts, and never answers
        port = frozen.getsockname()[1]
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{port}/0"}
        }
        client = Client()
        client.post(LOGIN, {"login": "ada", "password": "wrong"})
        client.post(LOGIN, {"login": "ada", "password": PASSWORD})
        assert is_signed_in(client)
        frozen.setblocking(False)
        asked = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                frozen.accept()[0].close()
                asked += 1
    assert 1 <= asked <= 2  # given up after one wait, with one more for a process that had just given up


def test_redis_is_used_again_after_a_while(user: User, settings: Settings) -> None:
    good = settings.CACHES
    settings.CACHES = {"default": {**good["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    cache.set("k", "in memory")
    assert cache.get("k") == "in memory"
    settings.CACHES = good
    assert cache.get("k") == "in memory"
    accounts.cache._away_until = 0.0
    assert cache.get("k") is None
    cache.set("k", "in redis")
    assert cache.get("k") == "in redis"


def code_for(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


def activate_totp(client: Client) -> str:
    asked = client.get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    secret = str(page.context["form"].secret)
    response = client.post("/accounts/2fa/totp/activate/", {"code": code_for(secret)})
    assert response.status_code == 302, response.context["form"].errors
    return secret


def test_a_second_factor_is_asked_for_once_set_up(user: User) -> None:
    client = Client()
    client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    secret = activate_totp(client)
    codes = client.get("/accounts/2fa/recovery-codes/").content
    assert b"recovery_codes" in codes
    cache.clear()  # a code is good once: pretend that half a minute has passed
    another = Client()
    response = another.post(LOGIN, {"login": "ada", "password": PASSWORD})
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(another)
    wrong = another.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert b"Incorrect code" in wrong.content
    another.post("/accounts/2fa/authenticate/", {"code": code_for(secret)})
    assert is_signed_in(another)


def test_setting_up_a_second_factor_is_audited_without_its_secret(user: User) -> None:
    client = Client()
    client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    secret = activate_totp(client)
    entries = AuditEntry.objects.filter(content_type__model="authenticator")
    assert {entry.actor_name for entry in entries} == {"ada"}
    assert not any(secret in str(entry.changes) for entry in entries)


def test_a_password_is_changed_with_the_old_one(user: User) -> None:
    client = Client()
    client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    new = "a quite different one"
    form = {"oldpassword": "wrong", "password1": new, "password2": new}
    assert client.post("/accounts/password/", form).status_code == 200
    form["oldpassword"] = PASSWORD
    assert client.post("/accounts/password/", form).status_code == 302
    assert is_signed_in(client)
    user.refresh_from_db()
    assert user.check_password(new)
    entry = AuditEntry.objects.latest("id")
    assert (list(entry.changes), entry.actor_name) == (["password"], "ada")


@pytest.mark.parametrize("path", ["password/", "2fa/"])
def test_the_account_pages_link_to_each_other(user: User, path: str) -> None:
    client = Client()
    client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    content = client.get(f"/accounts/{path}").content
    for target in (b"/accounts/password/", b"/accounts/2fa/", b"/accounts/logout/"):
        assert target in content


@pytest.mark.parametrize("path", ["login/", "inactive/", "password/", "2fa/", "reauthenticate/", "logout/"])
def test_pages_have_no_inline_script_or_style(user: User, path: str) -> None:
    client = Client()
    if path not in ("login/", "inactive/"):
        client.post(LOGIN, {"login": "ada", "password": PASSWORD})
    response = client.get(f"/accounts/{path}")
    assert response.status_code == 200
    content = response.content.decode()
    assert "<style" not in content
    assert " style=" not in content
    assert "<script>" not in content
    assert "script-src 'self'" in response["Content-Security-Policy"]
