"""What ends an import, or one attempt at it."""

from events.errors import OutcomeUnknown, RequestRefused


class ImportFailed(RequestRefused):
    """The file cannot be imported as it is: correct it and upload it again. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(422, code, detail)


class LeaseLost(OutcomeUnknown):
    """Another worker has the import now, or it was cancelled: nothing of this batch was stored."""

    def __init__(self) -> None:
        super().__init__("The import is no longer this worker's; nothing of the batch was stored.")
