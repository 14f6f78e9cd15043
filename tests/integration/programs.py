"""kubectl and every helm, as tests call them."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.tools import TEST_MODULES, find_test_program

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@dataclass(frozen=True)
class Tools:
    """kubectl and helm with the test cluster's credentials."""

    bin_dir: Path
    kubeconfig: Path

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of the cluster's programs and return what it said, whatever its status."""
        program = self._find(command[0])
        if not program.exists():
            pytest.fail(f"{command[0]} is not built: run `python3 -m cluster setup`")
        return subprocess.run(
            [str(program), *command[1:]],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def ok(self, *command: str, stdin: str = "") -> str:
        """Run a program that must succeed; returns its output."""
        done = self.run(*command, stdin=stdin)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def get(self, *what: str) -> Any:
        """Read objects as JSON."""
        return json.loads(self.ok("kubectl", "get", *what, "--output=json"))

    def may(self, account: str, verb: str, resource: str, where: str, status: bool = False) -> bool:
        """Tell whether a ServiceAccount (namespace:name) may do something in a namespace."""
        user = f"--as=system:serviceaccount:{account}"
        question = ["kubectl", "auth", "can-i", verb, resource, user, f"--namespace={where}"]
        return self.run(*question, *["--subresource=status"] * status).stdout.strip() == "yes"

    def _find(self, name: str) -> Path:
        return find_test_program(name) if name in TEST_MODULES else self.bin_dir / name
