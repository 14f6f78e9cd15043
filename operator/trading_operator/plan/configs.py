"""Configs: the ConfigMap behind each name, made by us or by somebody else."""

from dataclasses import dataclass

from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.config_map import build_config_map
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.draft import System


@dataclass(frozen=True)
class Config:
    """A config that a component uses."""

    config_map: str
    manifest: Manifest | None  # None: it belongs to its author
    digest: str  # of a foreign one, so that pods roll with it


def plan_config(system: System, name: str, path: str) -> Config:
    """Return the config that `path` refers to by name; raises InvalidSpecError."""
    bundle = next((bundle for bundle in system.spec.configs if bundle.name == name), None)
    if bundle is None:
        raise InvalidSpecError(
            path,
            f"the system has no config {name}",
            "add it to configs, or mend the name",
        )
    if bundle.config_map_ref is not None:
        digest = system.observed.config_digests.get(bundle.config_map_ref, "")
        return Config(bundle.config_map_ref, None, digest)
    manifest = build_config_map(system.owner, name, bundle.files or {})
    return Config(manifest["metadata"]["name"], manifest, "")
