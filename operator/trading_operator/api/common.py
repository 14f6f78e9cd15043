"""Types that every resource uses: names, quantities, durations, references."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "tradingoperator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
# Below 2^63 in whole units, as the API server itself counts.
_DIGITS = {"m?": 18, "(k|Ki)": 15, "(M|Mi)": 12, "(G|Gi)": 9, "(T|Ti)": 6, "(P|Pi)": 3}
QUANTITY_PATTERN = (
    "^("
    + "|".join(rf"[0-9]{{1,{most}}}(\.[0-9]{{1,3}})?{unit}" for unit, most in _DIGITS.items())
    + ")$"
)
LARGEST_INTEGER = 10**17  # the API server compares as a float: one that is exact
# Each part at most a few years, so that seconds fit the 32 bits of a probe.
DURATION_PATTERN = r"^([0-9]{1,4}h|[0-9]{1,6}m|[0-9]{1,8}s)+$"
PATH_PATTERN = r"^/[^\x00]*$"
# Without empty parts, `.` and `..`: two paths that are written differently differ.
_PART = r"([^./\x00{more}][^/\x00{more}]*|\.[^./\x00{more}][^/\x00{more}]*|\.\.[^/\x00{more}]+)"
ROUTE_PATTERN = rf"^/$|^(/{_PART.format(more='')})+/?$"
FOLDER_PATTERN = rf"^(/{_PART.format(more=':')})+/?$"
_DOMAIN_PART = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN_PATTERN = rf"{_DOMAIN_PART}(\.{_DOMAIN_PART})*"
# Of labels and annotations.
KEYED_PATTERN = rf"^({DOMAIN_PATTERN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$"
_DURATION_PART = re.compile(r"([0-9]+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


class Model(BaseModel):
    """Base of all API models: camelCase on the wire, immutable, tolerant of newer fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


def rules(*validations: dict[str, str]) -> dict[str, Any]:
    """Build the schema extension that carries CEL rules."""
    return {"x-kubernetes-validations": list(validations)}


def rule(expression: str, message: str, **more: str) -> dict[str, str]:
    """Build one CEL rule; `more` takes messageExpression, reason, fieldPath."""
    return {"rule": expression, "message": message, **more}


def name_rule(longest: int) -> dict[str, str]:
    """Build the rule on a whole object that the names derived from its own must fit."""
    return rule(
        f"size(self.metadata.name) <= {longest} && self.metadata.name.matches('{NAME_PATTERN}')",
        "metadata.name must be lower-case letters, digits and hyphens, begin with a letter and "
        f"have at most {longest} characters, so that the names of its parts fit",
    )


def map_list(key: str = "name") -> dict[str, Any]:
    """Mark a list as a map keyed by `key`: the API server refuses duplicates."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def parse_duration(text: str) -> timedelta:
    """Turn a duration such as `1h30m` into a timedelta; the schema has checked the form."""
    parts = _DURATION_PART.findall(text)
    return timedelta(seconds=sum(int(amount) * _SECONDS[unit] for amount, unit in parts))


Name = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=27)]
ObjectName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253),
]
ServiceName = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=63)]
# As the API server has it: neither `.` nor anything that begins with two dots.
KEY_PATTERN = r"^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"
SecretKey = Annotated[str, Field(pattern=KEY_PATTERN, min_length=1, max_length=253)]
Image = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:@-]*(/[a-zA-Z0-9._:@-]+)*$",
        min_length=1,
        max_length=512,
    ),
]
AbsolutePath = Annotated[str, Field(pattern=PATH_PATTERN, min_length=1, max_length=256)]
RoutePath = Annotated[str, Field(pattern=ROUTE_PATTERN, min_length=1, max_length=256)]
# Never `/` itself: that would hide the image.
Folder = Annotated[str, Field(pattern=FOLDER_PATTERN, min_length=2, max_length=256)]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=16)]
Quantity = Annotated[
    str,
    BeforeValidator(str),
    Field(
        pattern=QUANTITY_PATTERN,
        max_length=24,
        # pydantic leaves the pattern out of the schema of a type that is converted first.
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY_PATTERN,
            "minimum": 0,
            "maximum": LARGEST_INTEGER,
        },
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Argument = Annotated[str, Field(max_length=4096)]


class ResourceAmounts(Model):
    """Amounts of compute resources."""

    cpu: Quantity | None = Field(None, description="Processor time in cores, e.g. 500m or 2.")
    memory: Quantity | None = Field(None, description="Memory in bytes, e.g. 512Mi or 2Gi.")
    ephemeral_storage: Quantity | None = Field(
        None, description="Local scratch space in bytes, e.g. 1Gi."
    )


class Resources(Model):
    """Compute resources of a container, as in a pod."""

    requests: ResourceAmounts | None = Field(
        None, description="What the scheduler reserves for the container."
    )
    limits: ResourceAmounts | None = Field(
        None, description="What the container may use at most; more memory than this ends it."
    )


class SecretKeyReference(Model):
    """One key of a Secret in the same namespace."""

    name: ObjectName = Field(description="Name of the Secret, in the system's own namespace.")
    key: SecretKey = Field(description="Key within the Secret.")


class Dependency(Model):
    """An edge of the system's graph: this component needs another one."""

    name: Name = Field(description="Name of the datastore or service that is needed.")
    required: bool = Field(
        True,
        description="Whether this component may start only once the other one is Ready. "
        "An optional one is waited for `timeout`, then this component starts without it. "
        "Default: true.",
    )
    timeout: Duration = Field(
        "1m",
        description="How long an optional dependency is waited for before this component "
        "starts degraded, e.g. 30s. Ignored for a required one. Default: 1m.",
    )


class Condition(Model):
    """One aspect of the resource's state, as in the Kubernetes API conventions."""

    type: Annotated[str, Field(max_length=64)] = Field(description="Name of the aspect.")
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$", max_length=7)] = Field(
        description="True, False or Unknown."
    )
    observed_generation: int = Field(
        description="Generation of the spec that this condition was computed from.", ge=0
    )
    last_transition_time: str = Field(
        description="When `status` last changed (RFC 3339, UTC).",
        max_length=32,
        json_schema_extra={"format": "date-time"},
    )
    reason: Annotated[str, Field(max_length=128)] = Field(
        description="Why, as one CamelCase word for programs."
    )
    message: Annotated[str, Field(max_length=4096)] = Field(
        description="Why, for people: what is waited for and what mends it."
    )
