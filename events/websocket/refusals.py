"""Errors as a socket tells them: the codes of HTTP, whatever the door."""

import msgspec

from accounts.errors import AccountsError
from events.answers import error_answer
from events.errors import IngestError
from events.websocket.frames import Refusal

RETRY_AFTER_SECONDS = 1
RESTARTING = Refusal(
    503, "restarting", "This process restarts. Connect again, and send what was not answered.", 1
)
UNKNOWN = Refusal(
    503, "outcome_unknown", "The database did not answer in time; send it again with the same ids.", 2
)
FAILED = Refusal(500, "internal_error", "The server failed. Send it again with the same ids.")
IDLE = Refusal(408, "idle", "No events came for a long time. Connect again when there are some.")

_decode = msgspec.json.Decoder(Refusal).decode


def refusal_of(error: IngestError | AccountsError) -> Refusal:
    """As the gateway would answer."""
    if isinstance(error, IngestError):
        answer = error_answer(error, "")
        return msgspec.structs.replace(_decode(answer.body), retry_after=answer.retry_after)
    retry_after = RETRY_AFTER_SECONDS if error.status == 503 else None
    return Refusal(error.status, error.code, str(error), retry_after)
