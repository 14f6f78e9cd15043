"""Running other programs to their end."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from cluster.errors import ClusterError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build_search_path() -> str:
    """Return PATH with the system folders, which a user's PATH often lacks sbin of."""
    return f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".strip(":")


def run(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120.0,
) -> str:
    """Run a command and return its standard output; a failure names it and its last words."""
    merged = {**os.environ, "PATH": build_search_path(), **(environment or {})}
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=merged, timeout=timeout
        )
    except FileNotFoundError as error:
        raise ClusterError(
            f"{command[0]} is not installed; `python3 -m cluster setup` installs what is missing"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{shlex.join(command)} did not end in {timeout:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise ClusterError(f"{shlex.join(command)} failed ({done.returncode}): {words}")
    return done.stdout


def succeeds(command: Sequence[str], timeout: float = 30.0) -> bool:
    """Tell whether a command exists and ends with zero."""
    try:
        run(command, timeout=timeout)
    except ClusterError:
        return False
    return True
