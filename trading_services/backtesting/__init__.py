"""A simulator that shares the strategy's decisions and the paper broker's fills and costs."""
