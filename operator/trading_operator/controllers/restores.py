"""Restores as a kind: what is particular about passes over them."""

import functools
from typing import NamedTuple

from trading_operator.controllers.backups import known_status
from trading_operator.controllers.kind import Kind
from trading_operator.controllers.neighbours import Neighbours
from trading_operator.controllers.parse import parse_restore_status
from trading_operator.controllers.registry import Body
from trading_operator.controllers.restore import reconcile_restore
from trading_operator.engines.base import OperandSettings
from trading_operator.kube.access import Kube
from trading_operator.kube.resources import RESTORES
from trading_operator.observe.restore import invalid_restore_status, restore_events


class RestoreSummary(NamedTuple):
    """What is asked for often of a Restore."""

    backup: str
    system: str  # "" until it is known
    phase: str
    targets: tuple[str, ...]
    held_since: str  # since when what uses its targets stops, "" while nothing does for it
    began: bool  # its Job was made: data may have been replaced


def read_facts(body: Body) -> RestoreSummary:
    """Return what is asked for often of a Restore."""
    status = parse_restore_status(body)
    return RestoreSummary(
        backup=str((body.get("spec") or {}).get("backup", "")),
        system=status.system or "",
        phase=status.phase.value,
        targets=tuple(status.targets),
        held_since=status.held_since or "",
        began=status.job is not None,
    )


def build_restores(
    kube: Kube, operand: OperandSettings, neighbours: Neighbours
) -> Kind[RestoreSummary]:
    """Build the kind of the Restores."""
    return Kind(
        resource=RESTORES,
        read_facts=read_facts,
        reconcile=functools.partial(reconcile_restore, kube, operand, neighbours),
        invalid_status=invalid_restore_status,
        known_status=known_status,
        tell=restore_events,
        changed=neighbours.restore_changed,
    )
