"""Whether a pod template that comes from the cluster stays within what the operator builds.

Templates are read back from objects that somebody else may have written: the operator makes no
pod from them that it would not make from a spec. So this names all that `build_pod_template` can
write, and what it could write in earlier versions: a form that is taken away here restarts the
pods that have it. A later version whose templates go beyond it gives up that going back to this
one restarts no pod.
"""

from collections.abc import Callable, Mapping
from typing import Any

from trading_operator.manifests.metadata import (
    COMPONENT,
    INSTANCE,
    MANAGED_BY,
    NAME,
    PART_OF,
    REVISION_ANNOTATION,
    VERSION,
)
from trading_operator.manifests.placement import SAME_NODE_LABEL
from trading_operator.manifests.pod import CONTAINER_NAME, build_container_security

Form = Callable[[Any], bool]


def is_within_bounds(template: Mapping[str, Any]) -> bool:
    """Tell whether the operator itself could have built a pod template."""
    return _TEMPLATE(template)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _id(value: Any) -> bool:
    return _count(value) and value > 0


def _is(wanted: Any) -> Form:
    def form(value: Any) -> bool:
        return type(value) is type(wanted) and bool(value == wanted)

    return form


def _list(item: Form) -> Form:
    def form(value: Any) -> bool:
        return isinstance(value, list) and all(map(item, value))

    return form


def _map(item: Form) -> Form:
    def form(value: Any) -> bool:
        return isinstance(value, dict) and all(map(item, value.values()))

    return form


def _object(required: Mapping[str, Form], optional: Mapping[str, Form] | None = None) -> Form:
    known = {**required, **(optional or {})}

    def form(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and required.keys() <= value.keys() <= known.keys()
            and all(known[name](field) for name, field in value.items())
        )

    return form


def _one_of(*forms: Form) -> Form:
    def form(value: Any) -> bool:
        return any(each(value) for each in forms)

    return form


def _only(item: Form) -> Form:
    def form(value: Any) -> bool:
        return isinstance(value, list) and len(value) == 1 and item(value[0])

    return form


_TIMING = {"periodSeconds": _count, "timeoutSeconds": _count, "failureThreshold": _count}
# A later version may time its probes otherwise: going back from it restarts no pod.
_LATER = {"initialDelaySeconds": _count, "successThreshold": _count}
_HTTP = {"path": _text, "port": _text, "scheme": _is("HTTP")}
_PROBE = _one_of(
    _object({"exec": _object({"command": _list(_text)}), **_TIMING}, _LATER),
    _object({"httpGet": _object(_HTTP), **_TIMING}, _LATER),
    _object({"tcpSocket": _object({"port": _text}), **_TIMING}, _LATER),
)
_KEY = _object({"name": _text, "key": _text})
_SOURCE = _one_of(
    _object({"secretKeyRef": _KEY}),
    _object({"fieldRef": _object({"fieldPath": _text})}),
)
_VARIABLE = _one_of(
    _object({"name": _text, "value": _text}), _object({"name": _text, "valueFrom": _SOURCE})
)
_PORT = _object({"name": _text, "containerPort": _count, "protocol": _is("TCP")})
_MOUNT = _object({"name": _text, "mountPath": _text}, {"readOnly": _flag})
_CONTAINER = _object(
    {
        "name": _is(CONTAINER_NAME),
        "image": _text,
        "imagePullPolicy": _text,
        "securityContext": _is(build_container_security()),
        "terminationMessagePolicy": _text,
    },
    {
        "command": _list(_text),
        "args": _list(_text),
        "env": _list(_VARIABLE),
        "ports": _list(_PORT),
        "resources": _object({}, {"requests": _map(_text), "limits": _map(_text)}),
        "volumeMounts": _list(_MOUNT),
        "readinessProbe": _PROBE,
        "livenessProbe": _PROBE,
        "startupProbe": _PROBE,
    },
)
_ITEM = _object({"key": _text, "path": _text})
_FILES = _object(
    {
        "secret": _object(
            {"name": _text, "items": _list(_ITEM)},
            {"optional": _flag},
        )
    }
)
_VOLUME = _one_of(
    _object({"name": _text, "emptyDir": _object({}, {"medium": _text, "sizeLimit": _text})}),
    _object(
        {
            "name": _text,
            "configMap": _object({"name": _text}, {"defaultMode": _count, "optional": _flag}),
        }
    ),
    _object({"name": _text, "persistentVolumeClaim": _object({"claimName": _text})}),
    _object(
        {"name": _text, "projected": _object({"sources": _list(_FILES)}, {"defaultMode": _count})}
    ),
)
_SELECTOR = _object({"matchLabels": _map(_text)})
_TOLERATION = _object(
    {"operator": _text},
    {"key": _text, "value": _text, "effect": _text, "tolerationSeconds": _count},
)
_SPREAD = _object(
    {
        "maxSkew": _count,
        "topologyKey": _text,
        "whenUnsatisfiable": _text,
        "labelSelector": _SELECTOR,
    }
)
_TERM = _object({"topologyKey": _text, "labelSelector": _SELECTOR})
_TOGETHER = _object({"requiredDuringSchedulingIgnoredDuringExecution": _only(_TERM)})
_POD_SECURITY = _object(
    {
        "runAsNonRoot": _is(True),
        "runAsUser": _id,
        "runAsGroup": _id,
        "fsGroup": _id,
        "seccompProfile": _is({"type": "RuntimeDefault"}),
    },
    {"fsGroupChangePolicy": _text},
)
_POD = _object(
    {
        "containers": _only(_CONTAINER),
        "securityContext": _POD_SECURITY,
        "automountServiceAccountToken": _is(False),
        "enableServiceLinks": _is(False),
        "terminationGracePeriodSeconds": _count,
        "volumes": _list(_VOLUME),
    },
    {
        "imagePullSecrets": _list(_object({"name": _text})),
        "nodeSelector": _map(_text),
        "tolerations": _list(_TOLERATION),
        "priorityClassName": _text,
        "topologySpreadConstraints": _list(_SPREAD),
        "affinity": _object({"podAffinity": _TOGETHER}),
    },
)
_OWN_LABELS = dict.fromkeys((INSTANCE, PART_OF, MANAGED_BY, NAME, COMPONENT, VERSION), _text)
_METADATA = _object(
    {
        "labels": _object(_OWN_LABELS, {SAME_NODE_LABEL: _text}),
        "annotations": _object({REVISION_ANNOTATION: _text}),
    }
)
_TEMPLATE = _object({"metadata": _METADATA, "spec": _POD})
