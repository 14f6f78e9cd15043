"""The ledger: what became of each revision, as the cluster keeps it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from trading_operator.manifests.metadata import Owner, child_name
from trading_operator.plan.observed import Observed, StoredRevision
from trading_operator.plan.stored_revision import newest_first


class Outcome(StrEnum):
    """What became of a revision."""

    UNPROVEN = "Unproven"  # it came into force, and nobody knows yet
    GOOD = "Good"  # everything served with it for as long as it was watched
    FAILED = "Failed"  # it went back by itself, and is not tried again
    WITHDRAWN = "Withdrawn"  # a person went back to another one


REFUSED = frozenset({Outcome.FAILED, Outcome.WITHDRAWN})


@dataclass(frozen=True)
class Ledger:
    """The stored revisions of a system, newest first."""

    owner: Owner
    stored: Sequence[StoredRevision]

    def digest_of(self, revision: StoredRevision) -> str:
        """Return the digest by which people and statuses know a revision."""
        return revision.name.removeprefix(child_name(self.owner, ""))

    def find(self, digest: str) -> StoredRevision | None:
        """Return the revision of a digest."""
        name = child_name(self.owner, digest)
        return next((each for each in self.stored if each.name == name), None)

    def standing(self) -> StoredRevision | None:
        """Return the newest revision that nobody went back from."""
        return next((each for each in self.stored if each.state.outcome not in REFUSED), None)

    def last_good(self, besides: str = "") -> StoredRevision | None:
        """Return the newest good revision, another one than that of a digest."""
        name = child_name(self.owner, besides)
        return next((each for each in self._good() if each.name != name), None)

    def _good(self) -> Iterator[StoredRevision]:
        return (each for each in self.stored if each.state.outcome == Outcome.GOOD)

    def next_number(self, digest: str) -> int:
        """Return the number of a revision in force: the highest, also for one that comes back."""
        if not self.stored:
            return 1
        newest = self.stored[0]
        return newest.number if newest == self.find(digest) else newest.number + 1


def read_ledger(owner: Owner, observed: Observed) -> Ledger:
    """Return the ledger of a system."""
    return Ledger(owner, newest_first(observed))
