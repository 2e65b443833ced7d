"""What can go wrong while setting a machine up; each message names the remedy."""


class ProvisioningError(Exception):
    """The machine cannot be set up as asked; the message says what to do."""


class CommandFailed(ProvisioningError):
    """A program that provisioning ran exited non-zero; the message ends with its last lines."""
