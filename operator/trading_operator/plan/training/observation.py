"""Whether a promoted model does what it should; what it did before says nothing of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_parts import Observation
from trading_operator.api.model_training_status import PromotionState
from trading_operator.plan.moments import read_moment
from trading_operator.plan.rollout.clock import soonest
from trading_operator.plan.training.case import ServiceFacts, TrainingCase
from trading_operator.plan.training.gates import read_number
from trading_operator.plan.training.reports import ModelReport

LOOK_AGAIN = timedelta(seconds=3)
_MOST_UNREADY = timedelta(seconds=30)
_LEAST_SCORED = 5  # bars before a share of errors means anything


@dataclass(frozen=True)
class Finding:
    """What is wrong with a promoted model; `over` tells that its window went by without fault."""

    fault: str = ""
    loaded: bool = False
    over: bool = False
    waits_for: str = ""
    look_again: timedelta | None = None


def watch_loading(
    case: TrainingCase, rules: Observation, state: PromotionState, now: datetime
) -> Finding:
    """Return what became of a version that the service was told to load."""
    since = read_moment(state.since) or now
    report = _own_report(case, state)
    if report is not None and report.state == "Loaded":
        return Finding(loaded=True)
    if report is not None and report.state == "Refused":
        return Finding(fault=f"{case_service(case)} refused it: {report.message}".rstrip(": "))
    failing = _find_failing(case.service, since, now)
    if failing:
        return Finding(fault=failing)
    left = since + parse_duration(rules.load_deadline) - now
    if left <= timedelta() and case.service.settled:
        return Finding(fault=f"{case_service(case)} has not loaded it within {rules.load_deadline}")
    told = f": {report.message}" if report is not None and report.message else ""
    waits = f"{case_service(case)} has not loaded it yet{told}"
    return Finding(waits_for=waits, look_again=soonest(LOOK_AGAIN, max(left, LOOK_AGAIN)))


def watch_live(
    case: TrainingCase, rules: Observation, state: PromotionState, now: datetime
) -> Finding:
    """Return what the service makes of a version that it has loaded."""
    since = read_moment(state.loaded_at) or now
    report = _own_report(case, state)
    fault = _find_failing(case.service, since, now)
    if report is not None:
        fault = fault or _find_refusal(case, report) or _find_errors(rules, report)
        fault = fault or _find_bad_metric(rules, report)
    if fault:
        return Finding(fault=fault)
    left = since + parse_duration(rules.window) - now
    if left <= timedelta():
        return Finding(over=True)
    return Finding(waits_for=f"watched until {rules.window} are over", look_again=LOOK_AGAIN)


def case_service(case: TrainingCase) -> str:
    """Return the name of the service that trades with the model."""
    promotion = case.spec.promotion
    return "the service" if promotion is None else promotion.service


def _own_report(case: TrainingCase, state: PromotionState) -> ModelReport | None:
    """Return what the service says of this very version, not of one before it."""
    report = case.report
    return report if report is not None and report.id == state.version else None


def _find_refusal(case: TrainingCase, report: ModelReport) -> str:
    if report.state != "Refused":
        return ""
    return f"{case_service(case)} does not trade with it any more: {report.message}".rstrip(": ")


def _find_errors(rules: Observation, report: ModelReport) -> str:
    if report.scored + report.errors < _LEAST_SCORED:
        return ""
    share = Decimal(report.errors) / Decimal(report.scored + report.errors)
    if share <= Decimal(rules.max_error_rate):
        return ""
    of = report.scored + report.errors
    return f"it failed to score {report.errors} of {of} bars (maxErrorRate {rules.max_error_rate})"


def _find_bad_metric(rules: Observation, report: ModelReport) -> str:
    for bound in rules.live:
        if report.judged < bound.min_bars:
            continue
        told = report.live.get(bound.metric)
        value = read_number(told)
        if value is None:
            return f"{bound.metric} is {told or 'missing'} after {report.judged} bars"
        if not bound.op.holds(value, Decimal(bound.value)):
            return (
                f"{bound.metric} is {told} after {report.judged} bars, not {bound.op} {bound.value}"
            )
    return ""


def _find_failing(service: ServiceFacts, since: datetime, now: datetime) -> str:
    """Return what fails of the service's pods since a version came, unless something else moves."""
    if not service.settled:
        return ""
    for pod in service.pods:
        if pod.deleting:
            continue
        if pod.fault is not None and _later(pod.fault.at, since):
            return f"pod {pod.name} failed: {pod.fault.message}"
        unready = read_moment(pod.ready_since)
        if pod.ready or unready is None or unready < since:
            continue
        if now - unready >= _MOST_UNREADY:
            return f"pod {pod.name} is not ready: {pod.reason} {pod.message}".rstrip()
    return ""


def _later(text: str, since: datetime) -> bool:
    moment = read_moment(text)
    return moment is not None and moment >= since
