"""Body -> typed spec, once, at the edge."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from trading_operator.api.trading_system import COMMAND_LENGTH, TradingSystemSpec
from trading_operator.controllers.registry import Body
from trading_operator.manifests.metadata import COMMAND_PREFIX
from trading_operator.plan.types import InvalidSpecError, Owner


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
    """Parse the spec. Raises InvalidSpecError for what passed an older or missing schema."""
    try:
        return TradingSystemSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidSpecError(
            _path(first["loc"]), first["msg"], "see kubectl explain tradingsystem.spec"
        ) from error


def _commands(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in annotations.items():
        if name.startswith(COMMAND_PREFIX):
            yield name.removeprefix(COMMAND_PREFIX), value[:COMMAND_LENGTH]


def _path(location: tuple[str | int, ...]) -> str:
    parts = (f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)
    return "spec" + "".join(parts)
