"""Whether a version may be promoted: every gate with what was measured."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_parts import Gate
from trading_operator.api.model_training_status import GateResult
from trading_operator.plan.training.answers import Comparison, TrainingAnswer

_NAME_LENGTH = 128
_CHAMPION = " champion"  # in the name of a gate that compares with it
_TRAIN_AGAIN = "train again (tradingoperator.io/retry)"
# A program is not believed to tell numbers: neither NaN nor one whose digits fill the memory.
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")


def judge(
    spec: ModelTrainingJobSpec, answer: TrainingAnswer, champion: str = ""
) -> tuple[GateResult, ...]:
    """Return what came of every gate; a value that is missing, or no number, fails its gate.

    `champion` is the version that is traded now, "" without one: a program is not believed that
    there is none, nor when it compared with another one.
    """
    found = (*_judge_gates(spec, answer, champion), *_judge_leakage(spec, answer))
    return tuple({each.name: each for each in found}.values())


def read_number(text: str | None) -> Decimal | None:
    """Return a number that a program told; None of what is missing, NaN, infinite or absurd."""
    return Decimal(text) if text and _NUMBER.fullmatch(text) else None


def outdate(results: Iterable[GateResult], champion: str) -> tuple[GateResult, ...]:
    """Fail the gates that compare with a champion which has gone back since.

    Told by their names: the spec may have other ones by now.
    """
    message = f"it was compared with {champion}, which went back; {_TRAIN_AGAIN}"
    return tuple(
        _result(each.name, False, each.value, each.bound, message)
        if _CHAMPION in each.name
        else each
        for each in results
    )


def first_metric(spec: ModelTrainingJobSpec) -> str:
    """Return the metric that stands for a version in one number."""
    return spec.gates[0].metric if spec.gates else "oosSharpe"


def _judge_gates(
    spec: ModelTrainingJobSpec, answer: TrainingAnswer, champion: str
) -> Iterator[GateResult]:
    for gate in spec.gates:
        absolute = gate.value is not None
        yield _judge_absolute(gate, answer) if absolute else _judge_relative(gate, answer, champion)


def _judge_absolute(gate: Gate, answer: TrainingAnswer) -> GateResult:
    bound = Decimal(gate.value or "0")
    name = f"{gate.metric} {gate.op} {gate.value}"
    return _compare(gate, name, answer.metrics.get(gate.metric), bound)


def _judge_relative(gate: Gate, answer: TrainingAnswer, traded: str) -> GateResult:
    margin, name = Decimal(gate.margin), _relative_name(gate)
    comparison = answer.comparison
    other = _find_other(comparison, traded)
    if other:
        return _result(name, False, None, None, other)
    if comparison is None:
        value = answer.metrics.get(gate.metric)
        return _result(name, True, value, None, "there is no champion to be compared with")
    if comparison.unavailable:
        return _result(name, False, None, None, comparison.unavailable)
    champion = read_number(comparison.champion.get(gate.metric))
    if champion is None:
        lacking = comparison.champion.get(gate.metric) or "missing"
        message = f"the champion's {gate.metric} is {lacking}: nothing to compare with"
        return _result(name, False, comparison.challenger.get(gate.metric), lacking, message)
    return _compare(gate, name, comparison.challenger.get(gate.metric), champion + margin)


def _relative_name(gate: Gate) -> str:
    margin = Decimal(gate.margin)
    plus = "" if margin == 0 else f" {'+' if margin > 0 else '-'} {abs(margin):f}"
    return f"{gate.metric} {gate.op}{_CHAMPION}{plus}"[:_NAME_LENGTH]


def _find_other(comparison: Comparison | None, traded: str) -> str:
    """Return why a comparison is not one with the version that is traded now, should it be none."""
    if not traded or (comparison is not None and comparison.champion_id == traded):
        return ""
    if comparison is not None and comparison.unavailable:
        return ""  # which says why there is none
    compared = "nothing" if comparison is None else comparison.champion_id or "no version it names"
    return f"{traded} is traded now, and it was compared with {compared}; {_TRAIN_AGAIN}"


def _compare(gate: Gate, name: str, told: str | None, bound: Decimal) -> GateResult:
    value = read_number(told)
    if value is None:
        message = f"{gate.metric} is {told or 'missing'}, which no gate lets pass"
        return _result(name, False, told, f"{bound:f}", message)
    passed = gate.op.holds(value, bound)
    trouble = None if passed else f"{gate.metric} is {told}, not {gate.op} {bound:f}"
    return _result(name, passed, told, f"{bound:f}", trouble)


def _judge_leakage(spec: ModelTrainingJobSpec, answer: TrainingAnswer) -> Iterator[GateResult]:
    checks = {each.check: each for each in answer.leakage}
    for check in spec.leakage_checks:
        found = checks.get(check.value)
        if found is None:
            yield _result(check.value, False, None, None, "the program did not make this check")
            continue
        message = found.message or (None if found.passed else "the model knows of the future")
        yield _result(check.value, found.passed, found.value or None, found.bound or None, message)


def _result(
    name: str, passed: bool, value: str | None, bound: str | None, message: str | None
) -> GateResult:
    return GateResult(
        name=name[:_NAME_LENGTH],
        passed=passed,
        value=None if value is None else value[:32],
        bound=None if bound is None else bound[:32],
        message=message,
    )
