"""A stored revision as it is held in memory: packed until something is looked up in it."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from trading_operator.manifests.metadata import ADOPT_ANNOTATION, Manifest
from trading_operator.manifests.pod_bounds import is_within_bounds
from trading_operator.plan.types import Observed, StoredRevision

HISTORY_LIMIT = 10  # revisions that are kept, the one in force among them


class Rendering(NamedTuple):
    """What was rendered of one component for inputs of a certain digest."""

    inputs: str
    revision: str
    template: Manifest
    asked: str  # digest of what of the inputs the spec alone says


def pack_data(data: Any) -> bytes:
    """Pack the data of a revision: it is read seldom, and kept for as long as the process runs."""
    return zlib.compress(orjson.dumps(data), 9)


def read_revision(manifest: Manifest, packed: bytes) -> StoredRevision:
    """Return a live revision whose data was packed."""
    metadata = manifest["metadata"]
    return StoredRevision(
        name=metadata["name"],
        number=int(manifest.get("revision", 0)),
        adopted=str((metadata.get("annotations") or {}).get(ADOPT_ANNOTATION, "")),
        packed=packed,
    )


def unpack(stored: StoredRevision) -> dict[str, Rendering]:
    """Return the renderings by component; what another hand wrote in another form is left out."""
    data = orjson.loads(zlib.decompress(stored.packed))
    components = data.get("components") if isinstance(data, dict) else None
    return dict(_renderings(components)) if isinstance(components, dict) else {}


def _renderings(components: Mapping[str, Any]) -> Iterator[tuple[str, Rendering]]:
    for name, each in components.items():
        if isinstance(each, dict) and _is_template(each.get("template")):
            inputs, revision, asked = (
                str(each.get(field, "")) for field in ("inputs", "revision", "asked")
            )
            yield name, Rendering(inputs, revision, each["template"], asked)


def _is_template(template: Any) -> bool:
    return (
        isinstance(template, dict)
        and isinstance(template.get("metadata"), dict)
        and isinstance(template.get("spec"), dict)
        and is_within_bounds(template)
    )


def newest_first(observed: Observed) -> Sequence[StoredRevision]:
    """Return the stored revisions; the first is the one in force."""
    return sorted(observed.revisions, key=lambda each: each.number, reverse=True)


def plan_history(observed: Observed, active: str) -> tuple[StoredRevision, ...]:
    """Return the stored revisions that are kept: the active one and the newest of the others."""
    stored = newest_first(observed)
    others = [each for each in stored if each.name != active]
    return (*(each for each in stored if each.name == active), *others[: HISTORY_LIMIT - 1])


def config_maps_of(stored: StoredRevision) -> Iterator[str]:
    """Yield the names of the ConfigMaps that pods of a stored revision mount."""
    for rendering in unpack(stored).values():
        yield from mounted_config_maps(rendering.template)


def mounted_config_maps(template: Manifest) -> Iterator[str]:
    """Yield the names of the ConfigMaps that a pod template mounts."""
    for volume in template["spec"].get("volumes") or ():
        if "configMap" in volume:
            yield volume["configMap"]["name"]
