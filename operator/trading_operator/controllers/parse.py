"""Body -> typed spec, once, at the edge."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError

from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_status import BackupStatus
from trading_operator.api.common import Model
from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_status import ModelTrainingJobStatus
from trading_operator.api.reasons import READY
from trading_operator.api.restore import RestoreSpec, RestoreStatus
from trading_operator.api.trading_system import COMMAND_LENGTH, TradingSystemSpec
from trading_operator.controllers.registry import Body
from trading_operator.manifests.metadata import COMMAND_PREFIX
from trading_operator.plan.observed import AskedBackup, BackupFacts
from trading_operator.plan.types import InvalidSpecError, Owner

M = TypeVar("M", bound=Model)


def parse_owner(body: Body) -> Owner:
    """Build the owner of a plan from a body."""
    metadata = body["metadata"]
    return Owner(
        api_version=body["apiVersion"],
        kind=body["kind"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        commands=dict(_commands(metadata.get("annotations") or {})),
    )


def parse_spec(body: Body) -> TradingSystemSpec:
    """Parse a system's spec. Raises InvalidSpecError for what passed an older or no schema."""
    return _parse(TradingSystemSpec, body)


def parse_backup(body: Body) -> BackupSpec:
    """Parse a Backup's spec. Raises InvalidSpecError for what passed an older or no schema."""
    return _parse(BackupSpec, body)


def parse_backup_status(body: Body) -> BackupStatus:
    """Parse what the operator said last of a Backup; what another hand wrote is nothing."""
    try:
        status = body.get("status") or {}
        return BackupStatus.model_validate({**status, "conditions": []})
    except ValidationError:
        return BackupStatus()


def parse_restore(body: Body) -> RestoreSpec:
    """Parse a Restore's spec. Raises InvalidSpecError for what passed an older or no schema."""
    return _parse(RestoreSpec, body)


def parse_restore_status(body: Body) -> RestoreStatus:
    """Parse what the operator said last of a Restore; what another hand wrote is nothing."""
    try:
        status = body.get("status") or {}
        return RestoreStatus.model_validate({**status, "conditions": []})
    except ValidationError:
        return RestoreStatus()


def parse_training(body: Body) -> ModelTrainingJobSpec:
    """Parse a ModelTrainingJob's spec. Raises InvalidSpecError for what passed no schema."""
    return _parse(ModelTrainingJobSpec, body)


def parse_training_status(body: Body) -> ModelTrainingJobStatus:
    """Parse what was said last of a ModelTrainingJob; what another hand wrote is nothing."""
    try:
        status = body.get("status") or {}
        return ModelTrainingJobStatus.model_validate({**status, "conditions": []})
    except ValidationError:
        return ModelTrainingJobStatus()


def parse_backup_facts(body: Body) -> BackupFacts:
    """Return what a change that waits for a Backup has to know of it."""
    status, conditions = parse_backup_status(body), (body.get("status") or {}).get("conditions")
    told: dict[str, dict[str, str]] = {each["type"]: each for each in conditions or ()}
    ready = told.get(READY, {})
    return BackupFacts(
        name=body["metadata"]["name"],
        system=str((body.get("spec") or {}).get("system", "")),
        asked={
            each.id: AskedBackup(each.outcome.value, each.message or "", frozenset(each.targets))
            for each in status.requests
        },
        trouble=ready.get("message", "") if ready.get("status") == "False" else "",
    )


def _parse(model: type[M], body: Body) -> M:
    try:
        return model.model_validate(body.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidSpecError(
            _path(first["loc"]), first["msg"], f"see kubectl explain {body['kind'].lower()}.spec"
        ) from error


def _commands(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in annotations.items():
        if name.startswith(COMMAND_PREFIX):
            yield name.removeprefix(COMMAND_PREFIX), value[:COMMAND_LENGTH]


def _path(location: tuple[str | int, ...]) -> str:
    parts = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)
    return "spec" + "".join(parts)
