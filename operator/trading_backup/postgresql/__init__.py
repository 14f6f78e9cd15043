"""PostgreSQL: connections, facts, roles and databases, for every engine that is PostgreSQL."""
