"""Runs the real trading-strategy and has it die, or freeze, at a chosen point.

Arguments: a JSON object, all of whose keys may be absent: {"kill": "<point>", "freeze": "<point>",
"plant": "<bug>"}. A point is "Journal.write_decision:after:17": a method, whether to go before or
after it, and at which call.
"""

import functools
import json
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trading_services.contract.run import run_component
from trading_services.paper_broker.venue import PaperBroker
from trading_services.trading_strategy import desk
from trading_services.trading_strategy.book import Book
from trading_services.trading_strategy.broker import OrderRequest, VenueOrder
from trading_services.trading_strategy.decisions import Decision
from trading_services.trading_strategy.journal import Journal
from trading_services.trading_strategy.reconciliation import Reconciliation, build_book
from trading_services.trading_strategy.service import COMPONENT

CLASSES: Mapping[str, type] = {"Journal": Journal, "PaperBroker": PaperBroker}


def arm(point: str, deadly: signal.Signals) -> None:
    """Have the process send itself the signal at the point."""
    owner, name, moment, count = _parse(point)
    original = getattr(owner, name)
    calls = iter(range(1, sys.maxsize))

    @functools.wraps(original)
    def armed(*arguments: Any, **keywords: Any) -> Any:
        goes = next(calls) == count
        if goes and moment == "before":
            _send(deadly)
        answer = original(*arguments, **keywords)
        if goes and moment == "after":
            _send(deadly)
        return answer

    setattr(owner, name, armed)


def _send(deadly: signal.Signals) -> None:
    # To this very thread: a signal to the process may find another one, while this one runs on.
    signal.pthread_kill(threading.get_ident(), deadly)


def _parse(point: str) -> tuple[type, str, str, int]:
    method, moment, count = point.split(":")
    owner, name = method.split(".")
    return CLASSES[owner], name, moment, int(count)


def plant_send_before_journal() -> None:
    """Plant the bug that an order is sent before it is journaled."""
    original: Callable[..., None] = Journal.write_decision
    venue = _remember_venue()

    def hasty(self: Journal, *arguments: Any) -> None:
        decision: Decision = arguments[-1]
        if decision.order is not None:
            venue[-1].submit(decision.order.request)
        original(self, *arguments)

    setattr(Journal, "write_decision", hasty)  # noqa: B010 - mypy forbids the assignment


def plant_random_ids() -> None:
    """Plant the bug that a retry gets a new client order id."""
    original: Callable[..., VenueOrder] = PaperBroker.submit

    def careless(self: PaperBroker, request: OrderRequest) -> VenueOrder:
        placed = original(self, replace(request, client_order_id=f"to-{uuid.uuid4().hex}"))
        return replace(placed, request=request)

    setattr(PaperBroker, "submit", careless)  # noqa: B010


def plant_forgotten_order() -> None:
    """Plant the bug that an order at work is forgotten at a restart."""

    def forgetful(*arguments: Any) -> Book:
        return replace(build_book(*arguments), working=None)

    def blind(*_: Any) -> Reconciliation:
        return Reconciliation((), ())

    setattr(desk, "build_book", forgetful)  # noqa: B010
    setattr(desk, "plan_reconciliation", blind)  # noqa: B010


def _remember_venue() -> list[PaperBroker]:
    venues: list[PaperBroker] = []
    original = PaperBroker.claim

    def remembering(self: PaperBroker, token: int) -> None:
        venues.append(self)
        original(self, token)

    setattr(PaperBroker, "claim", remembering)  # noqa: B010
    return venues


BUGS: Mapping[str, Callable[[], None]] = {
    "send-before-journal": plant_send_before_journal,
    "random-ids": plant_random_ids,
    "forgotten-order": plant_forgotten_order,
}


def main() -> int:
    """Plant, arm and run."""
    wanted = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if "plant" in wanted:
        BUGS[wanted["plant"]]()
    if "kill" in wanted:
        arm(wanted["kill"], signal.SIGKILL)
    if "freeze" in wanted:
        arm(wanted["freeze"], signal.SIGSTOP)
    return run_component(COMPONENT, os.environ)


if __name__ == "__main__":
    sys.exit(main())
