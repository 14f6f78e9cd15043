"""The error that the command line prints without a traceback."""


class BenchError(Exception):
    """Something that the person at the keyboard can mend; the text says what and how."""
