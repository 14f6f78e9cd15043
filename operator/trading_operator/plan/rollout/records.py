"""What is written about revisions: the one in force, and what became of others."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from trading_operator.manifests.controller_revision import build_controller_revision
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.observed import RevisionState, StoredRevision
from trading_operator.plan.rollout.candidate import Candidate
from trading_operator.plan.rollout.course import Course


@dataclass(frozen=True)
class Records:
    """The revision in force, and those of which something new is said.

    `verdicts` are written before anything else: a change that failed is known to have failed
    before the first pod goes back, whenever the operator dies. `needed` are the names of the
    revisions that must be kept.
    """

    in_force: Manifest
    verdicts: tuple[Manifest, ...]
    needed: frozenset[str]


def build_records(course: Course) -> Records:
    """Build what is to be stored about the revisions of a course."""
    ledger, kept = course.ledger, course.kept_up
    verdicts = tuple(_build(course, each, ledger.find(each.digest)) for each in _judged(course))
    number = ledger.next_number(kept.digest)
    # One that nobody stored yet has a number of its own.
    number = max((number, *(each["revision"] + 1 for each in verdicts)))
    in_force = _build(course, kept, ledger.find(kept.digest), number)
    good = ledger.last_good()
    names = (in_force["metadata"]["name"], *(each["metadata"]["name"] for each in verdicts))
    known = (stored.name for stored in (good, ledger.find(course.wanted.digest)) if stored)
    return Records(in_force, verdicts, frozenset((*names, *known)))


def _judged(course: Course) -> Iterator[Candidate]:
    """Yield the revisions that are not in force and of which something new is said."""
    for each in (course.wanted, course.failed):
        if each is None or each.digest == course.kept_up.digest:
            continue
        stored = course.ledger.find(each.digest)
        if stored is not None and stored.state != each.state:
            yield each
        elif stored is None and each.state.reason:
            yield each  # it failed, and somebody took its record away


def _build(
    course: Course, candidate: Candidate, stored: StoredRevision | None, number: int | None = None
) -> Manifest:
    before = RevisionState() if stored is None else stored.state
    if number is None:
        number = course.ledger.next_number("") if stored is None else stored.number
    said, known = asdict(candidate.state), asdict(before)
    # What was said and holds no longer is taken back.
    state = {field: text for field, text in said.items() if text or known[field]}
    owner = candidate.system.owner
    return build_controller_revision(
        owner, candidate.digest, number, state, candidate.renderings.data
    )
