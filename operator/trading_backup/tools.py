"""What every engine works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from trading_backup.errors import BackupError
from trading_backup.job import Job
from trading_backup.presence import Presence
from trading_backup.programs import Programs
from trading_backup.progress import Progress
from trading_backup.reasons import Reason
from trading_backup.restic import Restic
from trading_backup.secret_files import SecretFiles
from trading_backup.stopping import Stop

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Tools:
    """The job, and everything that does I/O for it."""

    job: Job
    programs: Programs
    restic: Restic
    secrets: SecretFiles
    stop: Stop
    progress: Progress
    clock: Clock
    presence: Presence = field(default_factory=Presence)
    warnings: list[str] = field(default_factory=list)

    def open_repository(self) -> None:
        """Make sure that there is a repository; raises BackupError when not."""
        self.progress.enter("OpeningRepository")
        if not self.restic.open(self.presence.alone):
            raise BackupError(
                Reason.REPOSITORY_MISSING,
                f"there is no repository at {self.restic.place}",
                "look whether repository names the right place; a backup makes a new one",
                permanent=True,
            )

    def warn(self, warning: str) -> None:
        """Keep a warning for the answer, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)
