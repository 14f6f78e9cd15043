"""The report's text: tables with aligned columns, from the facts alone."""

from collections.abc import Sequence
from typing import Any

from trading_services.reporting.facts import Facts

_SUMMARY_LABELS = (
    ("bars_decided", "bars decided"),
    ("signals", "signals"),
    ("orders", "orders"),
    ("fills", "fills"),
    ("orders_working", "orders at work"),
    ("orders_rejected", "orders rejected"),
    ("orders_cancelled", "orders cancelled"),
    ("positions_open", "open positions"),
    ("positions_closed", "closed positions"),
    ("positions_won", "of these won"),
)


def build_report(facts: Facts) -> str:
    """Return the whole report, ending with a newline."""
    parts = [
        _build_data(facts),
        _build_models(facts),
        *(_build_summary(summary) for summary in facts.summaries),
        _build_symbols(facts),
        _build_positions(facts),
        _build_halts(facts),
    ]
    return "\n".join(part for part in parts if part)


def build_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines with aligned columns; numbers and dashes go to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [header, *rows]
    return "".join(
        "  "
        + "  ".join(_align(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _align(cell: str, width: int) -> str:
    number = cell.lstrip("-+").replace(",", "").replace(".", "", 1).replace("%", "").isdigit()
    return cell.rjust(width) if number or cell == "-" else cell.ljust(width)


def _build_data(facts: Facts) -> str:
    rows = [
        [
            each.symbol,
            each.timeframe,
            f"{each.bars:,}",
            f"{each.first:%Y-%m-%d}",
            f"{each.last:%Y-%m-%d %H:%M}",
        ]
        for each in facts.series
    ]
    title = (
        f"Market data ({facts.feature_values:,} feature values of {facts.feature_names} features)\n"
    )
    return title + build_table(["SYMBOL", "TIMEFRAME", "BARS", "FROM", "TO"], rows)


def _build_models(facts: Facts) -> str:
    rows = [
        [
            each.timeframe,
            each.version,
            each.status,
            f"{each.bars:,}",
            f"{each.auc:.4f}",
            f"{each.logloss:.4f}",
            f"{each.hit_rate:.1%}",
            f"{each.sharpe:.2f}",
            each.model_id,
        ]
        for each in facts.models
    ]
    header = ["TIMEFRAME", "VERSION", "STATUS", "BARS", "AUC", "LOGLOSS", "HITS", "SHARPE", "MODEL"]
    return "Models (means over out-of-sample folds, Sharpe ratio after costs)\n" + build_table(
        header, rows
    )


def _build_summary(summary: dict[str, Any]) -> str:
    rows = [[label, f"{summary[column]:,}"] for column, label in _SUMMARY_LABELS]
    rows += [
        ["realised profit after costs", _money(summary["realised_profit"])],
        ["commissions paid", _money(summary["costs"])],
    ]
    width = max(len(row[0]) for row in rows)
    lines = "".join(f"  {label.ljust(width)}  {value:>14}\n" for label, value in rows)
    return f"Strategy {summary['strategy']}\n{lines}"


def _build_symbols(facts: Facts) -> str:
    rows = [
        [
            each.symbol,
            each.timeframe,
            f"{each.orders:,}",
            f"{each.fills:,}",
            f"{each.open_shares:,f}",
            _money(each.costs),
            _money(each.realised),
        ]
        for each in facts.symbols
    ]
    header = ["SYMBOL", "TIMEFRAME", "ORDERS", "FILLS", "OPEN SHARES", "COSTS", "PROFIT"]
    return "By symbol\n" + build_table(header, rows) if rows else ""


def _build_positions(facts: Facts) -> str:
    rows = [
        [
            each.symbol,
            each.status,
            f"{each.shares:,f}",
            f"{each.entry_price:.5f}",
            "-" if each.exit_price is None else f"{each.exit_price:.5f}",
            "-" if each.profit is None else _money(each.profit),
            f"{each.entry_time:%Y-%m-%d %H:%M}",
            each.notes or "",
        ]
        for each in facts.positions
    ]
    header = ["SYMBOL", "STATUS", "SHARES", "ENTRY", "EXIT", "PROFIT", "SINCE", "WHY"]
    return "Newest positions\n" + build_table(header, rows) if rows else ""


def _build_halts(facts: Facts) -> str:
    return "".join(
        f"HALTED: {strategy} since {since:%Y-%m-%d %H:%M} UTC: {reason}\n"
        for strategy, reason, since in facts.halts
    )


def _money(amount: Any) -> str:
    return f"{amount:,.2f}"
