"""Whether a pod template that comes from the cluster stays within what the operator builds."""

from collections.abc import Iterable, Mapping
from typing import Any

from trading_operator.manifests.pod import build_container_security

_FORBIDDEN = frozenset(
    {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName", "serviceAccount", "initContainers"}
)
_VOLUMES = frozenset({"emptyDir", "configMap", "persistentVolumeClaim", "projected"})


def is_within_bounds(template: Mapping[str, Any]) -> bool:
    """Tell whether the pods are of the restricted profile, without a token or a host's folder.

    Templates are read back from objects that somebody else may have written: the operator makes
    no pod from them that it would not make from a spec.
    """
    try:
        spec = template["spec"]
        return (
            not _FORBIDDEN & spec.keys()
            and spec["automountServiceAccountToken"] is False
            and _is_restricted(spec["securityContext"])
            and all(_is_plain(volume) for volume in spec.get("volumes") or ())
            and all(_is_bounded(container) for container in spec["containers"])
        )
    except (AttributeError, KeyError, TypeError):
        return False  # another form altogether


def _is_restricted(context: Mapping[str, Any]) -> bool:
    return (
        context["runAsNonRoot"] is True
        and int(context["runAsUser"]) > 0
        and context["seccompProfile"] == {"type": "RuntimeDefault"}
    )


def _is_bounded(container: Mapping[str, Any]) -> bool:
    hosts = any("hostPort" in port for port in container.get("ports") or ())
    return not hosts and container["securityContext"] == build_container_security()


def _is_plain(volume: Mapping[str, Any]) -> bool:
    kinds = volume.keys() - {"name"}
    return kinds <= _VOLUMES and _has_no_token(volume.get("projected", {}).get("sources") or ())


def _has_no_token(sources: Iterable[Mapping[str, Any]]) -> bool:
    return all(source.keys() <= {"secret", "configMap", "downwardAPI"} for source in sources)
