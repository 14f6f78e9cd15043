"""Commands of the documentation, run as they stand there."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

DELETING = Path(__file__).parents[2] / "docs" / "deleting.md"


@dataclass(frozen=True)
class Documented:
    """Runs the command of docs/deleting.md that begins with given words."""

    kubectl: Path
    kubeconfig: Path

    def __call__(self, begins: str, namespace: str, name: str) -> str:
        """Put namespace and name into the command's place holders, run it, return what it said."""
        (line,) = {line for line in DELETING.read_text().splitlines() if line.startswith(begins)}
        words = shlex.split(line.replace("NAMESPACE", namespace).replace("NAME", name))
        done = subprocess.run(
            [str(self.kubectl), *words[1:]],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
