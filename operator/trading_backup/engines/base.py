"""What the commands ask of every engine."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from trading_backup.errors import BackupError
from trading_backup.manifest import Facts, Manifest, TargetRecord
from trading_backup.reasons import Reason


class Engine(Protocol):
    """One target of a job. Nothing else here knows engines by name."""

    @property
    def holds_by_copying(self) -> bool:
        """Whether `hold` lasts as long as it takes to copy the data: it then comes last."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the moment that `dump` saves, as far as the engine can, until the block's end."""

    def dump(self, set_id: str, base: Manifest | None) -> TargetRecord:
        """Save the target as snapshots of a set; `base` is a set that an increment may stand on."""

    def check_target(self, record: TargetRecord, in_place: bool) -> None:
        """Raise BackupError when a record cannot or must not be restored here."""

    def restore(self, chain: Sequence[TargetRecord], in_place: bool) -> None:
        """Restore the last record of a chain; in place, beside the former data where it can."""

    def read_facts(self, record: TargetRecord) -> Facts | None:
        """Read of the restored data what the record says of its own; None when nothing can ask."""

    def find_untrue(self, statements: Sequence[str]) -> list[str]:
        """Return the statements that are not true of the restored data."""

    def publish(self) -> None:
        """Put restored and compared data into the place of the former ones, where that waits."""

    def discard(self) -> None:
        """Throw away restored data that do not count, where they are beside the former ones."""


def refuse_statements(engine: str, statements: Sequence[str]) -> list[str]:
    """Refuse assertions for an engine without SQL."""
    if statements:
        raise BackupError(
            Reason.INVALID_JOB,
            f"assertions: {engine} knows no SQL",
            "remove them",
            permanent=True,
        )
    return []
