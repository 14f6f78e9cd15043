"""What is read of a training's Job and its pods."""

from trading_operator.kube.training_facts import read_training_job
from trading_operator.plan.observed import JobPodFacts

JOB = {"metadata": {"name": "daily-1-1", "uid": "u1", "labels": {}}, "spec": {}, "status": {}}


def _pod(name: str, began: str, ended: str = "") -> JobPodFacts:
    began, ended = (f"2026-12-01T{each}Z" if each else "" for each in (began, ended))
    return JobPodFacts(
        name=name,
        component="",
        revision="",
        phase="Failed" if ended else "Running",
        ready=False,
        deleting=False,
        restarts=0,
        reason="",
        message="",
        started=True,
        created_at=began,
        job_uid="u1",
        program_began=began,
        program_ended=ended,
    )


def test_the_time_between_two_programs_is_told_apart() -> None:
    pods = [
        _pod("a", "10:00:00", "10:10:00"),
        _pod("b", "15:10:00", "15:20:00"),
        _pod("c", "15:20:30"),
    ]
    facts = read_training_job(JOB, reversed(pods))
    assert facts.idle_seconds == 5 * 3600 + 30
    assert (facts.began_at, facts.stopped_at) == ("2026-12-01T10:00:00Z", "")


def test_one_program_is_never_idle() -> None:
    assert read_training_job(JOB, [_pod("a", "10:00:00")]).idle_seconds == 0
    assert read_training_job(JOB, []).idle_seconds == 0
