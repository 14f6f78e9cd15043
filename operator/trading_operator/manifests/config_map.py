"""ConfigMaps: immutable and named by their content."""

from collections.abc import Mapping

from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import (
    Manifest,
    Owner,
    build_metadata,
    build_system_labels,
    child_name,
)


def config_map_name(owner: Owner, config: str, files: Mapping[str, str]) -> str:
    """Return the name that changes with the content, so that pods roll by it."""
    return child_name(owner, f"{config}-{digest_of(dict(files))}")


def build_mutable_config_map(owner: Owner, name: str, files: Mapping[str, str]) -> Manifest:
    """Build a ConfigMap whose content may change under the pods that mount it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": build_metadata(owner, name, build_system_labels(owner)),
        "data": dict(files),
    }


def build_config_map(
    owner: Owner, config: str, files: Mapping[str, str], labels: dict[str, str] | None = None
) -> Manifest:
    """Build the ConfigMap of one config; the labels are a system's unless others are given."""
    manifest = build_mutable_config_map(owner, config_map_name(owner, config, files), files)
    if labels is not None:
        manifest["metadata"]["labels"] = labels
    return {**manifest, "immutable": True}
