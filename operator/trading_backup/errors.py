"""The error that ends a run: what is wrong, what mends it, and whether trying again may help."""

from trading_backup.reasons import Reason

EXIT_FAILED = 1
EXIT_CONFIGURATION = 42


class BackupError(Exception):
    """A run cannot go on; `permanent` when it needs a person before it can go well."""

    def __init__(self, reason: Reason, problem: str, mend: str, permanent: bool = False) -> None:
        """Keep the reason, and the problem and its mend as one sentence."""
        super().__init__(f"{problem}: {mend}")
        self.reason = reason
        self.permanent = permanent

    @property
    def exit_code(self) -> int:
        """The exit code that tells the Job whether to try again."""
        return EXIT_CONFIGURATION if self.permanent else EXIT_FAILED


class StoppedError(BackupError):
    """The kubelet asked the pod to stop."""

    def __init__(self) -> None:
        """Say what that means for the run."""
        super().__init__(
            Reason.TERMINATED,
            "the pod was told to stop",
            "a set that is not published by now does not count; the next run begins anew",
        )
