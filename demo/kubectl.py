"""Calls kubectl and helm against the demo's cluster."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandError(Exception):
    """A command that the demo needs failed; the message carries what it said."""


@dataclass(frozen=True)
class Tools:
    """Where the cluster's programs and its kubeconfig are."""

    kubeconfig: Path
    bin_dir: Path

    def environment(self) -> dict[str, str]:
        """Build the environment in which kubectl and helm find the cluster."""
        path = f"{self.bin_dir}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *command: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a command and return its output; raise CommandError with what it said."""
        try:
            done = subprocess.run(
                command,
                env=self.environment(),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise CommandError(f"{command[0]} is not installed: run `make setup`") from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"`{' '.join(command)}` took over {timeout:.0f} s") from error
        if done.returncode != 0:
            raise CommandError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Read an object (or a list) as JSON."""
        found: dict[str, Any] = json.loads(self.run("kubectl", "get", *arguments, "-o", "json"))
        return found
