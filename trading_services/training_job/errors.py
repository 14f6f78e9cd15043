"""Ends of a training: what no repetition mends, and what another attempt may."""

EXIT_PERMANENT = 42  # the Job is given up at once
EXIT_AGAIN = 1


class PermanentError(Exception):
    """The training cannot succeed however often it is tried; says the field and the mend."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep a CamelCase reason for programs and a message for people."""
        super().__init__(message)
        self.reason = reason
        self.message = message


class DeviceMissingError(Exception):
    """A device was given and cannot be used: on another node it may; says the mend."""


class FencedError(Exception):
    """A later attempt has begun: this one must write nothing any more."""


class StoppedError(Exception):
    """The pod is asked to stop; a checkpoint was written."""
