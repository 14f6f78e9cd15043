"""When a pass runs, what it consists of, and what becomes of its errors."""
