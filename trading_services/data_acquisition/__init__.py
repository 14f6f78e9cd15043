"""Data acquisition: bars from a provider into `stock_aggs`, without gap or duplicate."""
