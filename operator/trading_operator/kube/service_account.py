"""The service account of the pod that the operator runs in, read without the official client.

That client takes half a second of CPU and 20 MiB to import, and a pod needs three files of it.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic as read_monotonic

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The kubelet replaces the token long before it ends; the file costs nothing to read.
TOKEN_SECONDS = 60.0


@dataclass
class ServiceAccount:
    """Who we are in a cluster: the kubelet keeps the token's file up."""

    folder: Path
    proxy: str | None = None
    _token: str = ""
    _read_at: float = field(default=float("-inf"))

    async def get_api_key_with_prefix(self, _: str) -> str:
        """Return the Authorization header; an empty file leaves the last token in force."""
        now = read_monotonic()
        if now - self._read_at >= TOKEN_SECONDS:
            read = (self.folder / "token").read_text(encoding="ascii").strip()
            self._token = f"Bearer {read}" if read else self._token
            self._read_at = now
        return self._token

    @property
    def authority(self) -> Path:
        """Return the file with the certificate authority of the API server."""
        return self.folder / "ca.crt"


def find_service_account(folder: Path) -> tuple[str, ServiceAccount] | None:
    """Return the API server's address and the pod's account; None outside of a cluster."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    account = ServiceAccount(folder)
    if not host or not port or not (folder / "token").is_file() or not account.authority.is_file():
        return None
    return f"https://{f'[{host}]' if ':' in host else host}:{port}", account
