"""Gathers what the plan of a ModelTrainingJob starts from."""

from trading_operator.kube.access import Kube
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import JOBS
from trading_operator.kube.training_facts import has_lingering_pods, read_training_job
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.training.case import TrainingJobFacts


def read_training_jobs(kube: Kube, owner: Owner) -> tuple[tuple[TrainingJobFacts, ...], bool]:
    """Return the Jobs of a ModelTrainingJob, oldest first, and whether pods of others linger."""
    key = key_of(owner)
    pods = kube.cache.pods(key)
    jobs = kube.cache.offspring(key, owner.uid, JOBS.kind)
    found = sorted(
        (read_training_job(job, pods) for job in jobs), key=lambda each: (each.run, each.launch)
    )
    return tuple(found), has_lingering_pods(jobs, pods)
