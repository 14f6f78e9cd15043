"""The trading strategy: scores bars with the active model and trades through a broker."""
