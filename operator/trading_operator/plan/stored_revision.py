"""A stored revision as it is held in memory: packed until something is looked up in it."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from trading_operator.manifests.controller_revision import read_state
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.pod_bounds import is_within_bounds
from trading_operator.plan.observed import Observed, RevisionState, StoredRevision

HISTORY_LIMIT = 10  # revisions that are kept, beside those that are needed


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
        packed=packed,
        state=RevisionState(**read_state(manifest)),
    )


def unpack_data(stored: StoredRevision) -> Mapping[str, Any]:
    """Return the data of a revision; what another hand wrote in another form is none."""
    return _open(stored.packed)[0]


def spec_of(stored: StoredRevision) -> Mapping[str, Any]:
    """Return the spec that a revision was stored with; {} when there is none to be read."""
    spec = unpack_data(stored).get("spec")
    return spec if isinstance(spec, dict) else {}


def unpack(stored: StoredRevision) -> Mapping[str, Rendering]:
    """Return the renderings by component; what another hand wrote in another form is left out."""
    return _open(stored.packed)[1]


# One pass looks into the same few revisions again and again.
@lru_cache(maxsize=16)
def _open(packed: bytes) -> tuple[Mapping[str, Any], Mapping[str, Rendering]]:
    """Return the data and the renderings in it, which nobody changes."""
    data = orjson.loads(zlib.decompress(packed))
    if not isinstance(data, dict):
        return {}, {}
    components = data.get("components")
    return data, dict(_renderings(components)) if isinstance(components, dict) else {}


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


def plan_history(observed: Observed, needed: Iterable[str]) -> tuple[StoredRevision, ...]:
    """Return the stored revisions that are kept: the needed ones and the newest of the others."""
    names = frozenset(needed)
    stored = newest_first(observed)
    others = [each for each in stored if each.name not in names]
    room = max(0, HISTORY_LIMIT - len(names))
    return (*(each for each in stored if each.name in names), *others[:room])


def config_maps_of(stored: StoredRevision) -> Iterator[str]:
    """Yield the names of the ConfigMaps that pods of a stored revision mount."""
    for rendering in unpack(stored).values():
        yield from mounted_config_maps(rendering.template)


def mounted_config_maps(template: Manifest) -> Iterator[str]:
    """Yield the names of the ConfigMaps that a pod template mounts."""
    for volume in template["spec"].get("volumes") or ():
        if "configMap" in volume:
            yield volume["configMap"]["name"]
