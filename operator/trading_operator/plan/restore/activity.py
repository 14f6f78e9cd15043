"""What of a Backup reads the data now, or could begin to by itself."""

from collections.abc import Iterable, Iterator

from trading_operator.api.backup_status import RunKind
from trading_operator.manifests import cron_job
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.backup.jobs import cron_job_ref
from trading_operator.plan.observed import Observed


def find_activity(
    owner: Owner, observed: Observed, jobs: Iterable[JobFacts], own: str = ""
) -> Iterator[str]:
    """Yield the runs of a Backup, but for that of a Restore's `own` request, and what wakes them.

    A drill looks at the repository alone.
    """
    drill = cron_job_ref(owner, RunKind.DRILL)
    for ref, live in sorted(observed.children.items()):
        if ref.kind == cron_job.KIND and ref != drill and not live["spec"].get("suspend"):
            yield f"CronJob {ref.name}"
    for job in jobs:
        if not job.is_over and job.run != RunKind.DRILL and not (own and job.request == own):
            yield f"Job {job.name}"
