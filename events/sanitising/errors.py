"""What can be wrong with sanitising rules."""


class RuleInvalid(ValueError):
    """Correct the rule: `field` is the one to change, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
