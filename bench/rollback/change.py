"""One bad change of one subject: watched by a client and by a watch until all is well again."""

import os
import time
from dataclasses import dataclass
from typing import Protocol

from bench.rollback.arithmetic import measure_downtime
from bench.rollback.client import polling, read_polls
from bench.rollback.failures import GOOD, REPLICAS, Failure, Version
from bench.rollback.node import Place
from bench.rollback.records import Record
from bench.rollback.reports import Report, Sighting, find_reports, find_restored, find_told

BEFORE_SECONDS = 2.0  # in which the client must find all well
AFTER_SECONDS = 3.0
LOOK_SECONDS = 0.2


class Subject(Protocol):
    """Something that changes a service."""

    name: str
    place: Place
    service: str
    patience: float  # seconds after its command ended in which it may still go back
    has_status: bool  # that says when it has

    def change(self, version: Version) -> None:
        """Start the command of a person who wants a version."""

    def has_ended(self) -> bool:
        """Tell whether the command has ended."""

    def told(self) -> str:
        """Return what it says of the change now."""

    def mend(self) -> None:
        """Have the good version serve again, and wait until it does."""


@dataclass(frozen=True)
class Course:
    """What was seen of a change."""

    failure: Failure
    version: Version
    sightings: list[Sighting]

    def find_reports(self) -> list[Report]:
        """Return what the kubelet said of it."""
        return find_reports(self.sightings, self.version, self.failure.signal)

    def find_restored(self) -> float | None:
        """Return when all was well again, after the kubelet had said that it is not."""
        reports = self.find_reports()
        if not reports:
            return None
        return find_restored(self.sightings, GOOD, REPLICAS, reports[0].seen)

    def find_told(self) -> float | None:
        """Return when the system's status said so."""
        reports = self.find_reports()
        return find_told(self.sightings, reports[0].seen) if reports else None


def watch_change(
    subject: Subject, failure: Failure, version: Version, run: int
) -> tuple[Record, Course]:
    """Carry a bad change out and watch what becomes of it."""
    load, place = os.getloadavg()[0], subject.place
    address, port = place.node.find_address(place.namespace, subject.service)
    path = place.node.folder / "polls" / f"{run:02d}-{failure.kind}-{subject.name}.jsonl"
    with polling(address, port, path):
        time.sleep(BEFORE_SECONDS)
        applied = time.time()
        subject.change(version)
        ended = _wait_for_end(subject, failure, version)
        time.sleep(AFTER_SECONDS)
        observed = time.time()
    course = look(place, failure, version)
    downtime = measure_downtime(read_polls(path))
    record = Record(
        subject=subject.name,
        kind=failure.kind,
        run=run,
        load=load,
        applied=applied,
        ended=ended,
        restored=course.find_restored(),
        told_back=course.find_told() if subject.has_status else None,
        observed=observed,
        polls=downtime.polls,
        failed_polls=downtime.failed,
        longest_gap=downtime.longest,
        told=subject.told(),
    )
    return record, course


def look(place: Place, failure: Failure, version: Version) -> Course:
    """Return what was seen of a change so far; all that was seen before tells which pods stood."""
    return Course(failure, version, place.watch.all_seen())


def _wait_for_end(subject: Subject, failure: Failure, version: Version) -> float:
    """Wait until the command ended and all is well again, or will not be; returns the former."""
    ended = 0.0
    while not ended or time.time() < ended + subject.patience:
        if not ended and subject.has_ended():
            ended = time.time()
        course = look(subject.place, failure, version)
        told = not subject.has_status or course.find_told() is not None
        if ended and told and course.find_restored() is not None:
            break
        time.sleep(LOOK_SECONDS)
    return ended
