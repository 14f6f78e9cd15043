"""One training from its file to its answer."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.feature_engineering.schema import FeatureConfig, feature_names
from trading_services.feature_engineering.schema import feature_schema_hash as schema_hash_of
from trading_services.model_training.dataset import Dataset
from trading_services.model_training.metrics import TradingAssumptions
from trading_services.model_training.model_files import (
    delete_leftovers,
    write_model_content,
)
from trading_services.model_training.walk_forward import to_moment
from trading_services.training_job.attempts import (
    Attempt,
    claim_attempt,
    describe_attempts,
    find_runs,
)
from trading_services.training_job.candidates import (
    Version,
    build_code_digest,
    expire_old,
    register,
)
from trading_services.training_job.checkpoints import CheckpointStore
from trading_services.training_job.comparison import compare, find_champion
from trading_services.training_job.course import Course, Saving, describe
from trading_services.training_job.data import read_dataset
from trading_services.training_job.device import check_device
from trading_services.training_job.figures import describe_metrics, describe_number
from trading_services.training_job.job_file import JobFile
from trading_services.training_job.leakage import CheckResult, judge_leakage
from trading_services.training_job.patience import wait_for_database
from trading_services.training_job.progress import Progress
from trading_services.training_job.reach import keep_reach, read_reach
from trading_services.training_job.stages import Stage, StageKind, Work, plan_stages
from trading_services.training_job.trainers import Trainer, read_trainer

_LEFT_OVER_SECONDS = 3600.0

_log = get_logger(__name__)

_Read = Callable[[Mapping[str, datetime]], tuple[Dataset, dict[str, datetime]]]


def train(
    database: Database,
    job: JobFile,
    features: FeatureConfig,
    progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train, judge and register a version; returns the answer.

    Raises PermanentError, FencedError, StoppedError.
    """
    trainer = read_trainer(job.trainer, job.hyperparameters, job.seed)
    check_device(job, trainer)
    names, code = _choose_features(job, features), build_code_digest()

    def read(reach: Mapping[str, datetime]) -> tuple[Dataset, dict[str, datetime]]:
        return wait_for_database(lambda: read_dataset(database, job, names, reach), should_stop)

    _forget_former_runs(job)
    attempt = claim_attempt(job.checkpoints.folder)
    try:
        dataset = _read_within_reach(job, attempt, read)
        stages = plan_stages(job, dataset)
        course = _build_course(job, (dataset, stages, trainer, code), attempt, should_stop)
        course_told = _watch(course, attempt, progress)
        course.run()
        course_told(course)
        answer = wait_for_database(
            lambda: _register(database, job, features, course, (attempt, code)), should_stop
        )
        told = attempt.told()
    finally:
        attempt.close()
    answer["attempts"] = describe_attempts(told)
    answer["lostSteps"] = sum(each.lost_steps for each in told)
    answer["checkpoint"] = None if course.saved is None else course.saved.as_dict()
    # The last checkpoint stays: who asks once more, because the answer was lost, has it at once.
    return answer


def _read_within_reach(job: JobFile, attempt: Attempt, read: _Read) -> Dataset:
    """Return the data of the run, which all its attempts share."""
    folder = job.checkpoints.folder
    reach = read_reach(folder)
    dataset, last = read(reach)
    if not reach and not keep_reach(folder, last, attempt.number):
        dataset, _ = read(read_reach(folder))  # another attempt was first
    return dataset


def _forget_former_runs(job: JobFile) -> None:
    """Remove the checkpoints of runs that are over or were given up."""
    for number, folder in find_runs(job.checkpoints.folder).items():
        if number < job.run:
            shutil.rmtree(folder, ignore_errors=True)


def _build_course(
    job: JobFile,
    parts: tuple[Dataset, list[Stage], Trainer, str],
    attempt: Attempt,
    should_stop: Callable[[], bool],
) -> Course:
    dataset, stages, trainer, code = parts
    given = job.assumptions
    assumptions = TradingAssumptions(given.entry_strength, given.cost_bps, given.bars_per_year)
    work = Work(dataset, assumptions, job.horizon_bars, job.seed)
    store = CheckpointStore(job.checkpoints.folder, attempt, job.checkpoints.keep)
    saving = Saving(store, attempt, job.checkpoints.every_seconds, should_stop)
    return Course(work, stages, trainer, _build_recipe(job, dataset, trainer, code), saving)


def _watch(course: Course, attempt: Attempt, progress: Progress) -> Callable[[Course], None]:
    told = attempt.told()
    attempts = {
        "attempts": describe_attempts(told),
        "lostSteps": sum(each.lost_steps for each in told),
    }

    def tell(now: Course) -> None:
        progress.tell(describe(now, attempts))

    course.on_step = tell
    tell(course)
    return tell


def _register(
    database: Database,
    job: JobFile,
    features: FeatureConfig,
    course: Course,
    by: tuple[Attempt, str],
) -> dict[str, Any]:
    """Write the file, then the row, and return the answer: a crash in between leaves a file that
    the next attempt writes again unchanged.
    """
    attempt, code = by
    work, results = course.work, course.state.results
    final = course.stages[-1]
    checks = judge_leakage(results, job.leakage_checks, len(job.dataset.symbols))
    schema_hash = schema_hash_of(features)
    comparison = compare(
        find_champion(database, job, schema_hash), work, final, results[final.name]
    )
    # Other trainings write into the folder too.
    delete_leftovers(job.models_folder, _LEFT_OVER_SECONDS)
    attempt.check()
    content = course.final_file
    path, digest = write_model_content(job.models_folder, content, course.trainer.suffix)
    dataset = work.dataset
    bars = len(np.unique(dataset.samples.times))
    version = Version(
        model_id=f"{job.model.type}-{job.model.timeframe}-{bars}-{digest[:12]}",
        file=path,
        digest=digest,
        size=len(content),
        bars=bars,
        code_digest=code,
        schema_hash=schema_hash,
        file_format=course.trainer.format,
    )
    folds = _describe_folds(course)
    means = _means(course)
    facts = {
        "folds": folds,
        "mean": means,
        "holdout": results[final.name],
        "comparison": comparison,
        "leakage": [asdict(each) for each in checks],
    }
    attempt.check()
    register(database, job, dataset, version, facts)
    _log.info("version registered", model_id=version.model_id, **means)
    expired = expire_old(database, job, version)
    return {
        "outcome": "Succeeded",
        "message": f"{version.model_id} is registered",
        "version": _describe_version(version, dataset),
        "metrics": describe_metrics(means),
        "comparison": comparison,
        "leakage": list(map(_describe_check, checks)),
        "folds": folds,
        "expired": expired[:10],
    }


def _describe_version(version: Version, dataset: Dataset) -> dict[str, Any]:
    return {
        "id": version.model_id,
        "digest": version.digest,
        "file": version.file.name,
        "format": version.file_format,
        "trainedUntil": f"{to_moment(dataset.last_bar):%Y-%m-%dT%H:%M:%SZ}",
        "dataDigest": dataset.digest,
        "codeDigest": version.code_digest,
        "featureSchemaHash": version.schema_hash,
        "bars": version.bars,
    }


def _describe_check(check: CheckResult) -> dict[str, Any]:
    return {
        "check": check.check,
        "passed": check.passed,
        "value": describe_number(check.value),
        "bound": describe_number(check.bound),
        "message": check.message,
    }


def _folds(course: Course) -> list[dict[str, float]]:
    kind = StageKind.FOLD
    return [course.state.results[each.name] for each in course.stages if each.kind is kind]


def _describe_folds(course: Course) -> list[dict[str, Any]]:
    return [
        {"number": at, "metrics": describe_metrics(found)}
        for at, found in enumerate(_folds(course), 1)
    ]


def _means(course: Course) -> dict[str, float]:
    folds = _folds(course)
    return {name: float(np.mean([fold[name] for fold in folds])) for name in folds[0]}


def _choose_features(job: JobFile, features: FeatureConfig) -> tuple[str, ...]:
    return tuple(job.features) or feature_names(features)


def _build_recipe(job: JobFile, dataset: Dataset, trainer: Trainer, code: str) -> str:
    """Return the digest of all that decides the result: a checkpoint of another one is useless."""
    told = {
        "data": dataset.digest,
        "code": code,
        "trainer": trainer.describe(),
        "validation": job.validation.model_dump(),
        "assumptions": job.assumptions.model_dump(),
        "horizon": job.horizon_bars,
        "checks": job.leakage_checks,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read_features(config_dir: Path) -> FeatureConfig:
    """Return the features' configuration; the built-in one where no file is mounted."""
    from trading_services.feature_engineering.schema import read_feature_config

    path = config_dir / "feature_config.json"
    return read_feature_config(config_dir) if path.exists() else FeatureConfig()
