"""Compute resources of a component, as far as they make sense together."""

from trading_operator.api.common import Resources
from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.quantity import parse_quantity


def check_resources(resources: Resources, path: str) -> None:
    """Raise InvalidSpecError when more is requested than may be used: no such pod can start."""
    if resources.requests is None or resources.limits is None:
        return
    limits = resources.limits.model_dump(exclude_none=True, by_alias=True)
    for name, requested in resources.requests.model_dump(exclude_none=True, by_alias=True).items():
        if name in limits and parse_quantity(requested) > parse_quantity(limits[name]):
            raise InvalidSpecError(
                f"{path}.requests.{name}",
                f"{requested} is more than the limit {limits[name]}",
                f"lower it, or raise {path}.limits.{name}",
            )
