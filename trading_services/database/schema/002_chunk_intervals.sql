-- Daily bars over a decade would make 680 chunks of the default seven days, and every query that
-- is not bound in time would lock them all. A year a chunk holds intraday bars as well.
SELECT set_chunk_time_interval('stock_aggs', INTERVAL '365 days');
SELECT set_chunk_time_interval('features', INTERVAL '365 days');
