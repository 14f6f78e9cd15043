"""Errors that end a service, each with the exit code it ends with."""

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_UNAVAILABLE = 75
EXIT_CONFIG = 78


class ConfigError(Exception):
    """A setting or a configuration file makes no sense; names the source and the field."""

    def __init__(self, source: str, field: str, problem: str) -> None:
        """Keep where the problem is (`source`: file or variable) and what is wrong there."""
        super().__init__(f"{source}: {field}: {problem}" if field else f"{source}: {problem}")
        self.source = source
        self.field = field
        self.problem = problem


class DependencyUnavailableError(Exception):
    """A dependency did not answer within the bounded wait at start."""
