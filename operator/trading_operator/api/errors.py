"""What is wrong with a spec, for its author."""


class InvalidSpecError(Exception):
    """The spec makes no sense in a way that only its author can mend."""

    def __init__(self, path: str, problem: str, mend: str) -> None:
        super().__init__(f"{path}: {problem}; {mend}")
        self.path = path
        self.problem = problem
        self.mend = mend
