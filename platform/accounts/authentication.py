"""API keys at DRF's door: `Authorization: Bearer sg_…`."""

from typing import ClassVar, Final

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from accounts.errors import InvalidKey, KeysUnavailable
from accounts.identity import KeyIdentity, KeyPrincipal
from accounts.key_reader import KeyReader

__all__ = ["ApiKeyAuthentication", "KeyIdentity", "KeyPrincipal", "ServiceUnavailable"]

REALM: Final = 'Bearer realm="streamgauge"'
RETRY_AFTER_SECONDS: Final = 1


class ServiceUnavailable(exceptions.APIException):
    """503 with Retry-After: DRF's exception handler turns `wait` into the header."""

    status_code = 503
    default_detail = _("The service cannot answer just now. Try again shortly.")
    default_code = "keys_unavailable"
    wait = RETRY_AFTER_SECONDS


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` becomes a KeyPrincipal and `request.auth` its KeyIdentity.

    No Authorization header: not ours (a session may follow, else 401). Another scheme, or a bad key: 401.
    A good key without the scope: 403, from the permission.
    """

    reader: ClassVar[KeyReader] = KeyReader()

    def authenticate(self, request: Request) -> tuple[KeyPrincipal, KeyIdentity] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        try:
            identity = self.resolve(bearer(header))
        except InvalidKey as error:
            raise exceptions.AuthenticationFailed(str(error), code=error.code) from error
        except KeysUnavailable as error:
            raise ServiceUnavailable(str(error), code=error.code) from error
        return KeyPrincipal(identity), identity

    def resolve(self, text: str) -> KeyIdentity:
        """The identity behind a key's text. Raises InvalidKey (401) or KeysUnavailable (503)."""
        return self.reader.resolve(text)

    def authenticate_header(self, request: Request) -> str:
        return REALM


def bearer(header: bytes) -> str:
    """The key in an Authorization header's value. Raises InvalidKey when there is none."""
    scheme, _space, text = header.strip().partition(b" ")
    if scheme.lower() != b"bearer" or not text.strip():
        raise InvalidKey("Send the key as `Authorization: Bearer sg_…`.")
    return text.strip().decode("latin-1")
