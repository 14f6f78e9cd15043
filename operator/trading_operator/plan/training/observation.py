"""Whether a promoted model does what it should; what it did before says nothing of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_parts import Observation
from trading_operator.api.model_training_status import PromotionState
from trading_operator.api.reasons import NODE_UNREACHABLE
from trading_operator.plan.moments import read_moment
from trading_operator.plan.training.case import ServiceFacts, TrainingCase
from trading_operator.plan.training.gates import read_number
from trading_operator.plan.training.reports import ModelReport

LOOK_AGAIN = timedelta(seconds=3)
_MOST_UNREADY = timedelta(seconds=30)
_MOST_SILENT = timedelta(seconds=30)  # one answer may be lost
_LEAST_SCORED = 5  # bars before a share of errors means anything


@dataclass(frozen=True)
class Finding:
    """What is wrong with a promoted model; `over` tells that its window went by without fault."""

    fault: str = ""
    loaded: bool = False
    over: bool = False
    rests: bool = False  # the service is stopped or changed: no time counts, it begins anew
    silent_since: datetime | None = None  # since when a service that is Ready tells nothing of it
    waits_for: str = ""
    look_again: timedelta | None = LOOK_AGAIN


def watch_loading(
    case: TrainingCase, rules: Observation, state: PromotionState, now: datetime
) -> Finding:
    """Return what became of a version that the service was told to load."""
    report = _own_report(case, state)
    if _is_loaded(report):
        return Finding(loaded=True)
    if report is not None and report.state == "Refused":
        return Finding(fault=f"{case_service(case)} refused it: {report.message}".rstrip(": "))
    if not case.service.settled:
        why = f"{case_service(case)} is stopped or changed: the time to load it has not begun"
        return Finding(rests=True, waits_for=why)
    since = read_moment(state.since) or now
    failing = _find_failing(case.service, rules, since, now)
    if failing:
        return Finding(fault=failing)
    told = f": {report.message}" if report is not None and report.message else ""
    if since + parse_duration(rules.load_deadline) <= now:
        late = f"{case_service(case)} has not loaded it within {rules.load_deadline}{told}"
        return Finding(fault=late)
    return Finding(waits_for=f"{case_service(case)} has not loaded it yet{told}")


def watch_live(
    case: TrainingCase, rules: Observation, state: PromotionState, now: datetime
) -> Finding:
    """Return what the service makes of a version that it has loaded."""
    since = read_moment(state.loaded_at) or read_moment(state.since) or now
    report = _own_report(case, state)
    fault = _find_failing(case.service, rules, since, now)
    if report is not None:
        fault = fault or _find_refusal(case, report) or _find_errors(rules, report)
        fault = fault or _find_bad_metric(rules, report)
    if fault:
        return Finding(fault=fault)
    if not _is_loaded(report):
        return _bear_silence(case, rules, state, report, now)
    if state.loaded_at and since + parse_duration(rules.window) <= now:
        return Finding(over=True, look_again=None)
    return Finding(loaded=True, waits_for=f"watched for {rules.window}")


def _bear_silence(
    case: TrainingCase,
    rules: Observation,
    state: PromotionState,
    report: ModelReport | None,
    now: datetime,
) -> Finding:
    """Wait for a service that had loaded a version; not for ever when it is Ready without it."""
    loads = report is not None
    name = case_service(case)
    told = f"{name} loads it again" if loads else f"{name} tells of it no more"
    if not case.service.settled:
        return Finding(rests=True, waits_for=f"{name} is stopped or changed: it is watched anew")
    if not case.service.ready:
        return Finding(waits_for=told)
    since = read_moment(state.silent_since) or now
    if now - since >= (parse_duration(rules.load_deadline) if loads else _MOST_SILENT):
        return Finding(fault=f"{told}, though it is ready")
    return Finding(silent_since=since, waits_for=told)


def case_service(case: TrainingCase) -> str:
    """Return the name of the service that trades with the model."""
    promotion = case.spec.promotion
    return "the service" if promotion is None else promotion.service


def _own_report(case: TrainingCase, state: PromotionState) -> ModelReport | None:
    """Return what the service says of this very file, not of a version before it."""
    report, champion = case.report, case.before.champion
    if report is None or report.id != state.version:
        return None
    same = champion is None or report.digest in ("", champion.digest)
    return report if same else None


def _is_loaded(report: ModelReport | None) -> bool:
    return report is not None and report.state == "Loaded"


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


def _find_failing(service: ServiceFacts, rules: Observation, since: datetime, now: datetime) -> str:
    """Return what fails of the service's pods since a version came, unless something else moves."""
    if not service.settled:
        return ""
    for pod in service.pods:
        if pod.deleting:
            continue
        if pod.fault is not None and _later(pod.fault.at, since):
            return f"pod {pod.name} failed: {pod.fault.message}"
        unready = read_moment(pod.ready_since)
        # A pod whose node is lost says nothing of the version.
        if pod.ready or pod.reason == NODE_UNREACHABLE or unready is None or unready < since:
            continue
        # One that starts elsewhere has the time that it has to load the version.
        patience = _MOST_UNREADY if pod.started else parse_duration(rules.load_deadline)
        if now - unready >= patience:
            return f"pod {pod.name} is not ready: {pod.reason} {pod.message}".rstrip()
    return ""


def _later(text: str, since: datetime) -> bool:
    moment = read_moment(text)
    return moment is not None and moment >= since
