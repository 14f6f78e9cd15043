"""The report: what the strategy did, read from the database, as a table for people."""
