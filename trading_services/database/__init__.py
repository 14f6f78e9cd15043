"""The database: connections, and the migrations that make its tables."""
