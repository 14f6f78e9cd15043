"""The manifest of a set: what it holds, read back from where, and the facts that drills compare."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from trading_backup.job import Mode

VERSION = 1
# What is true of the data, by item (a table, the keys, the files) and by measure.
Facts = dict[str, dict[str, int | str]]
PartFormat = Literal["PostgreSQLArchive", "SQL", "RDB", "Folder"]


class Model(BaseModel):
    """What the models of the manifest have in common; a later field is no reason to fail."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


class Part(Model):
    """One snapshot of a target: a file, or a folder with what is below it."""

    name: str
    format: PartFormat
    snapshot: str
    path: str
    bytes: int
    added_bytes: int
    sha256: str = ""  # of a file's content, as the program that wrote it gave it


class TargetRecord(Model):
    """What a set holds of one target."""

    name: str
    engine: str
    method: str
    parts: tuple[Part, ...]
    facts: Facts = {}
    versions: dict[str, str] = {}
    as_of: datetime
    seconds: float
    base: str | None = None  # the set that this increment stands on
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of the data, before deduplication and compression."""
        return sum(part.bytes for part in self.parts)

    @property
    def added_bytes(self) -> int:
        """What it added to the repository."""
        return sum(part.added_bytes for part in self.parts)

    def part(self, name: str) -> Part:
        """Return a part by its name."""
        return next(part for part in self.parts if part.name == name)


class Manifest(Model):
    """A whole set."""

    version: int = VERSION
    set: str
    backup: str
    system: str
    namespace: str
    mode: Mode
    started_at: datetime
    ended_at: datetime
    targets: tuple[TargetRecord, ...]

    @property
    def data_as_of(self) -> datetime:
        """The time from which on changes are missing: that of the target that was read first."""
        return min(target.as_of for target in self.targets)

    @property
    def bases(self) -> frozenset[str]:
        """The sets that its increments stand on."""
        return frozenset(target.base for target in self.targets if target.base is not None)

    def target(self, name: str) -> TargetRecord | None:
        """Return a target by its name."""
        return next((target for target in self.targets if target.name == name), None)


def dump_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON."""
    return manifest.model_dump_json(by_alias=True, indent=1).encode()


def find_shrunk(manifest: Manifest, before: Manifest | None) -> list[str]:
    """Warn of targets with less than half of what the set before had: a sign of lost data."""
    warnings = []
    for target in manifest.targets:
        former = before.target(target.name) if before else None
        if former and _is_comparable(target, former) and target.bytes * 2 < former.bytes:
            warnings.append(
                f"{target.name}: {target.bytes} bytes, less than half of the {former.bytes} in the "
                "set before: look whether data are missing"
            )
    return warnings


def _is_comparable(record: TargetRecord, former: TargetRecord) -> bool:
    """Tell whether the sizes mean the same: an increment's says nothing of the data's."""
    return record.method == former.method and record.base is None and former.base is None
