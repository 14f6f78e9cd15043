"""The files that tell the program in a Job what to do; Secrets are named, never told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from trading_operator.api.backup_parts import Hook
from trading_operator.api.backup_status import RunKind
from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service
from trading_operator.engines import ENGINES
from trading_operator.manifests.metadata import child_name
from trading_operator.plan.address import service_ports
from trading_operator.plan.backup.case import Case, Source
from trading_operator.plan.backup.repository import Repository
from trading_operator.plan.backup.targets import StoreTarget, Targets

JOB_FOLDER = "/etc/trading-backup"
SCRATCH_PATH = "/scratch"
TARGETS_PATH = "/targets"
DRILL_PATH = "/drill"
START_FILE = ".start"
_FIRST_DRILL_PORT = 20001


@dataclass(frozen=True)
class HookCall:
    """A hook as it is called, and the port of the pods that answer."""

    hook: Hook
    url: str
    pod_port: int


def job_file_name(run: RunKind) -> str:
    """Return the name of the file that tells of a kind of run."""
    return f"{run.value.lower()}.json"


def build_job_files(
    case: Case, source: Source, targets: Targets, repository: Repository
) -> dict[str, str]:
    """Build the files of all kinds of runs, by name."""
    common = _common(case, targets, repository)
    calls = plan_hooks(case, source)
    hooks = {when: [_describe_hook(each) for each in calls[when]] for when in calls}
    bare = {**common, "targets": list(_backup_targets(targets))}
    backup = {**bare, **({"hooks": hooks} if any(hooks.values()) else {})}
    # Nobody is there to be asked, and the set that is to be restored must stay.
    safety = {name: value for name, value in bare.items() if name != "retention"}
    drill = {**common, "targets": list(_drill_targets(targets)), "restore": {"set": "latest"}}
    files = {
        RunKind.FULL: {**backup, "mode": RunKind.FULL.value},
        RunKind.INCREMENTAL: {**backup, "mode": RunKind.INCREMENTAL.value},
        RunKind.SAFETY: {**safety, "mode": RunKind.FULL.value},
        RunKind.DRILL: drill,
    }
    return {job_file_name(run): _render(content) for run, content in files.items()}


def build_restore_file(
    case: Case, targets: Targets, repository: Repository, wanted: Mapping[str, Any]
) -> dict[str, str]:
    """Build the file of a restore into the system itself, by its name."""
    content = {
        **_common(case, targets, repository),
        "targets": list(_backup_targets(targets)),
        "restore": dict(wanted),
    }
    return {job_file_name(RunKind.RESTORE): _render(content)}


def drill_port(targets: Targets, target: StoreTarget) -> int:
    """Return the port of a target's throw-away server: all of them share one pod."""
    return _FIRST_DRILL_PORT + targets.stores.index(target)


def drill_folder(name: str) -> str:
    """Return where the program sees the folder of a throw-away target."""
    return f"{DRILL_PATH}/{name}"


def plan_hooks(case: Case, source: Source) -> Mapping[str, Sequence[HookCall]]:
    """Return the hooks by when they are called; raises InvalidSpecError."""
    hooks = {"before": case.spec.hooks.before, "after": case.spec.hooks.after}
    return {
        when: [_call(source, each, f"hooks.{when}[{at}]") for at, each in enumerate(asked)]
        for when, asked in hooks.items()
    }


def _common(case: Case, targets: Targets, repository: Repository) -> dict[str, Any]:
    spec = case.spec
    job: dict[str, Any] = {
        "backup": case.owner.name,
        "system": spec.system,
        "namespace": case.owner.namespace,
        "repository": dict(repository.described),
        "passwordFile": repository.secret_files[0].mounted_at,
        "scratch": SCRATCH_PATH,
        "facts": {"rowHashes": spec.verify.row_hashes},
        "verify": {"readData": spec.verify.read_data},
        "assertions": [
            {"name": each.name, "target": each.target, "sql": each.sql}
            for each in spec.assertions
            if each.target in targets.names
        ],
    }
    if spec.retention is not None:
        job["retention"] = spec.retention.model_dump(by_alias=True)
    return job


def _backup_targets(targets: Targets) -> Iterator[dict[str, Any]]:
    for each in targets.stores:
        address = {"host": each.endpoint.host, "port": each.endpoint.port}
        yield {**_describe_store(each), **address}
    for volume in targets.volumes:
        path = f"{TARGETS_PATH}/{volume.name}"
        yield {"name": volume.name, "engine": "Volume", "path": path}


def _drill_targets(targets: Targets) -> Iterator[dict[str, Any]]:
    for each in targets.stores:
        engine, folder = ENGINES[each.store.engine], drill_folder(each.name)
        place = engine.throwaway_path(each.method)
        yield {
            **_describe_store(each),
            "host": "127.0.0.1",
            "port": drill_port(targets, each),
            "startFile": f"{folder}/{START_FILE}",
            **({} if place is None else {"path": f"{folder}/{place}"}),
        }
    for volume in targets.volumes:
        yield {"name": volume.name, "engine": "Volume", "path": drill_folder(volume.name)}


def _describe_store(target: StoreTarget) -> dict[str, Any]:
    engine = ENGINES[target.store.engine]
    return {
        "name": target.name,
        "engine": engine.name.value,
        "passwordFile": target.password.mounted_at,
        **engine.describe_target(target.store, target.method),
    }


def _call(source: Source, hook: Hook, path: str) -> HookCall:
    service = _find_service(source, hook, path)
    ports = service_ports(service)
    name = next((n for n, number in ports.items() if hook.port in (None, number)), None)
    if name is None:
        known = ", ".join(map(str, ports.values())) or "none"
        raise InvalidSpecError(
            f"{path}.port", f"{hook.service} has no such port (it has {known})", "mend it"
        )
    host = service.service_name or child_name(source.owner, service.name)
    pod_port = next(each.port for each in service.ports if each.name == name)
    return HookCall(hook, f"http://{host}:{ports[name]}{hook.path}", pod_port)


def _find_service(source: Source, hook: Hook, path: str) -> Service:
    for service in source.spec.services:
        if service.name == hook.service:
            return service
    known = ", ".join(each.name for each in source.spec.services) or "none"
    raise InvalidSpecError(
        f"{path}.service",
        f"{source.owner.name} has no service {hook.service} (it has {known})",
        "mend the name, or remove the hook",
    )


def _describe_hook(call: HookCall) -> dict[str, Any]:
    return {
        "name": call.hook.name,
        "url": call.url,
        "timeoutSeconds": max(1, int(parse_duration(call.hook.timeout).total_seconds())),
        "onFailure": call.hook.on_failure.value,
    }


def _render(content: Mapping[str, Any]) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
