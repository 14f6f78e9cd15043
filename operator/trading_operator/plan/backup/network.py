"""What the pods of a Backup may reach, and who may reach them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from trading_operator.api.backup_parts import S3Destination
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.sharing import Isolation
from trading_operator.engines import ENGINES
from trading_operator.manifests.metadata import (
    Manifest,
    build_metadata,
    build_own_selector,
    child_name,
)
from trading_operator.manifests.network_policy import (
    address_peer,
    build_egress,
    build_ingress,
    build_job_policy,
    build_name_resolution,
    component_peer,
    namespace_peer,
    operator_peer,
)
from trading_operator.plan.backup.job_file import plan_hooks
from trading_operator.plan.backup.pods import PROGRESS_PORT, Work

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_HTTPS, _HTTP = 443, 80


def plan_job_network(work: Work, suffix: str) -> Iterator[Manifest]:
    """Yield the policy of the Jobs' pods; none where the system has no isolation either.

    Of a Backup and of a Restore of one name it ends in another suffix.
    """
    if work.source.spec.network.isolation is Isolation.OFF:
        return
    owner, operand = work.case.owner, work.case.operand
    watchers = [operator_peer(operand.operator_namespace)] if operand.operator_namespace else []
    metadata = build_metadata(owner, child_name(owner, suffix), work.labels)
    yield build_job_policy(
        metadata,
        build_own_selector(owner),
        ingress=[build_ingress(watchers, [PROGRESS_PORT])] if watchers else [],
        egress=[build_name_resolution(operand.name_servers), *_edges(work), *_store(work)],
    )


def _edges(work: Work) -> Iterator[Manifest]:
    system = work.source.owner
    for target in work.targets.stores:
        port = ENGINES[target.store.engine].port  # of the pods, whatever the Service's is
        yield build_egress([component_peer(system, target.name)], [port])
    calls = plan_hooks(work.case, work.source)
    asked = {(call.hook.service, call.pod_port): None for when in calls.values() for call in when}
    for service, port in asked:
        yield build_egress([component_peer(system, service)], [port])


def _store(work: Work) -> Iterator[Manifest]:
    s3 = work.case.spec.destination.s3
    if s3 is None:
        return
    for at, egress in enumerate(s3.egress):
        path = f"destination.s3.egress[{at}].cidr"
        yield build_egress([_build_address(egress.cidr, path)], egress.ports)
    if s3.namespace is not None:
        # Of its pods any port: the Service's says nothing of theirs.
        yield {"to": [namespace_peer(s3.namespace)]}
    if not s3.egress and s3.namespace is None:
        yield build_egress(list(map(address_peer, _EVERYWHERE)), [_port_of(s3)])


def _build_address(cidr: str, path: str) -> Manifest:
    try:
        return address_peer(cidr)
    except ValueError:
        raise InvalidSpecError(
            path, f"{cidr} is no address range", "write one as in 203.0.113.0/24"
        ) from None


def _port_of(s3: S3Destination) -> int:
    try:
        place = urlsplit(s3.endpoint)
        return place.port or (_HTTP if place.scheme == "http" else _HTTPS)
    except ValueError:
        raise InvalidSpecError(
            "destination.s3.endpoint",
            f"{s3.endpoint} has no port of a number up to 65535",
            "mend it",
        ) from None
