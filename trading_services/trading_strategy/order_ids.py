"""Client order ids: the same decision always gets the same id, in any process."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

# Alpaca takes up to 48 characters; 160 bits make an accidental clash impossible in practice.
DIGEST_CHARACTERS = 40


@dataclass(frozen=True)
class OrderKey:
    """What makes an order unique; `intent` is Entry or Exit, `sequence` counts within a bar."""

    system: str
    strategy: str
    symbol: str
    timeframe: str
    bar_time: datetime
    intent: str
    sequence: int


def build_client_order_id(key: OrderKey) -> str:
    """Return the id of the order with this key: `to-` and 40 hexadecimal digits."""
    # Each part carries its length, so that no two keys can spell the same text.
    parts = (
        key.system,
        key.strategy,
        key.symbol,
        key.timeframe,
        key.bar_time.astimezone(UTC).isoformat(),
        key.intent,
        str(key.sequence),
    )
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return f"to-{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]}"
