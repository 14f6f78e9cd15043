"""Reads the API server's audit log: who wrote what."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITE_VERBS = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class AuditLog:
    """The audit log of the cluster's API server."""

    path: Path

    def position(self) -> int:
        """Return where the log ends now."""
        return self.path.stat().st_size

    def writes_since(self, position: int, user: str) -> list[str]:
        """Return `verb resource/name` of each write of `user` but Lease renewals."""
        with self.path.open("rb") as log:
            log.seek(position)
            lines = log.read().splitlines()
        events = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [_describe(event) for event in events if _is_write(event, user)]


def _is_write(event: dict[str, Any], user: str) -> bool:
    resource = event.get("objectRef", {}).get("resource")
    return (
        event["verb"] in WRITE_VERBS
        and event["user"].get("username") == user  # an unknown caller has no name
        and event["stage"] == "ResponseComplete"
        and resource not in {"leases", "selfsubjectaccessreviews", "tokenreviews"}
    )


def _describe(event: dict[str, Any]) -> str:
    target = event["objectRef"]
    sub = f"/{target['subresource']}" if "subresource" in target else ""
    return f"{event['verb']} {target['resource']}/{target.get('name', '')}{sub}"
