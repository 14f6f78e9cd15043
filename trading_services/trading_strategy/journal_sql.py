"""The journal's statements.

Those that write begin with `fence`: FOR SHARE makes a takeover wait for the statement, and makes
the statement look again at the token after a takeover that it had to wait for. Without the token
`fence` is empty, nothing is written, and the statement answers 0.
"""

_FENCE = """
WITH fence AS (
    SELECT strategy, token FROM writer_fence
    WHERE strategy = %(strategy)s AND token = %(token)s
    FOR SHARE
)"""

ACQUIRE = """
INSERT INTO writer_fence AS held (strategy, token, holder) VALUES (%(strategy)s, 1, %(holder)s)
ON CONFLICT (strategy)
DO UPDATE SET token = held.token + 1, holder = excluded.holder, acquired_at = now()
RETURNING token
"""

CHECK_FENCE = "SELECT 1 FROM writer_fence WHERE strategy = %(strategy)s AND token = %(token)s"

READ_FENCE = "SELECT token, holder FROM writer_fence WHERE strategy = %(strategy)s"

_DECISION = """, signal AS (
    INSERT INTO signals (strategy, symbol, timeframe, bar_time, model_id, score, strength, action,
                         reason)
    SELECT strategy, %(symbol)s, %(timeframe)s, %(bar_time)s, %(model_id)s, %(score)s,
           %(strength)s, %(action)s, %(reason)s
    FROM fence
), progress AS (
    INSERT INTO decision_progress (strategy, symbol, timeframe, last_bar)
    SELECT strategy, %(symbol)s, %(timeframe)s, %(bar_time)s FROM fence
    ON CONFLICT (strategy, symbol, timeframe) DO UPDATE SET last_bar = excluded.last_bar
)"""

_ORDER = """, placed AS (
    INSERT INTO orders (client_order_id, strategy, symbol, timeframe, bar_time, intent, side,
                        shares, state, fence_token, position_id, stop_price, target_price,
                        risk_amount, conviction, strength, reason)
    SELECT %(id)s, strategy, %(symbol)s, %(timeframe)s, %(bar_time)s, %(intent)s, %(side)s,
           %(shares)s, 'Intent', token, %(position_id)s, %(stop_price)s, %(target_price)s,
           %(risk_amount)s, %(conviction)s, %(strength)s, %(reason)s
    FROM fence
)"""

_ANSWER = """
SELECT count(*) FROM fence
"""

DECIDE = _FENCE + _DECISION + _ANSWER

DECIDE_WITH_ORDER = _FENCE + _DECISION + _ORDER + _ANSWER

_OPEN = "('Intent', 'Sent', 'Accepted')"

MOVE = f"""{_FENCE}, moved AS (
    UPDATE orders
    SET state = %(state)s, venue_order_id = coalesce(%(venue_id)s, venue_order_id),
        note = coalesce(%(note)s, note), updated_at = now()
    FROM fence
    WHERE client_order_id = %(id)s AND state IN {_OPEN}
){_ANSWER}"""

_FILL = f"""{_FENCE}, moved AS (
    UPDATE orders SET state = 'Filled', venue_order_id = %(venue_id)s, updated_at = now()
    FROM fence
    WHERE client_order_id = %(id)s AND state IN {_OPEN}
    RETURNING client_order_id, orders.strategy
), filled AS (
    INSERT INTO fills (fill_id, client_order_id, price, shares, cost, filled_at)
    SELECT %(fill_id)s, client_order_id, %(price)s, %(shares)s, %(cost)s, %(filled_at)s
    FROM moved
)"""

FILL_ENTRY = f"""{_FILL}, opened AS (
    INSERT INTO positions (position_id, symbol, entry_price, stop_price, target_price, shares,
                           position_value, risk_amount, entry_time, status, strategy,
                           conviction_score, signal_strength, notes)
    SELECT %(position_id)s, %(symbol)s, %(price)s, %(stop_price)s, %(target_price)s,
           %(position_shares)s, %(value)s, %(risk_amount)s, %(filled_at)s, 'Open', strategy,
           %(conviction)s, %(strength)s, %(reason)s
    FROM moved
){_ANSWER}"""

FILL_EXIT = f"""{_FILL}, closed AS (
    UPDATE positions
    SET exit_time = %(filled_at)s, exit_price = %(price)s, profit_loss = %(profit)s,
        status = 'Closed', notes = %(reason)s
    FROM moved
    WHERE position_id = %(position_id)s AND status = 'Open'
){_ANSWER}"""

READ_ENTRIES = """
SELECT o.client_order_id, o.symbol, o.timeframe, o.side, o.shares, o.bar_time,
       o.intent, o.position_id, o.reason, o.conviction, o.strength, o.state,
       extract(epoch FROM now() - o.created_at)::float8,
       o.stop_price, o.target_price, o.risk_amount,
       f.fill_id, f.price, f.shares, f.cost, f.filled_at
FROM orders o LEFT JOIN fills f USING (client_order_id)
WHERE o.strategy = %(strategy)s
ORDER BY o.bar_time, o.symbol, o.timeframe
"""

READ_PROGRESS = """
SELECT symbol, timeframe, last_bar FROM decision_progress WHERE strategy = %(strategy)s
"""

READ_BARS_HELD = """
SELECT count(*) FROM signals
WHERE strategy = %(strategy)s AND symbol = %(symbol)s AND timeframe = %(timeframe)s
  AND bar_time >= %(since)s
"""
