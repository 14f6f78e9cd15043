"""Kubeconfigs with everything embedded, so that one file can be copied anywhere."""

import base64
import json
from pathlib import Path

from cluster.certificates import build_identities
from cluster.layout import Layout


def build_kubeconfig(server: str, name: str, files: dict[str, bytes]) -> str:
    """Return a kubeconfig (JSON, which is YAML) from the bytes of ca, crt and key."""
    encoded = {key: base64.b64encode(value).decode() for key, value in files.items()}
    cluster = {"server": server, "certificate-authority-data": encoded["ca"]}
    user = {"client-certificate-data": encoded["crt"], "client-key-data": encoded["key"]}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(config, indent=1) + "\n"


def write_kubeconfigs(layout: Layout) -> None:
    """Write one kubeconfig for the administrator and one for each component."""
    server = f"https://{layout.profile.api_host}:{layout.profile.api_port}"
    for identity in build_identities(layout):
        if not identity.kubeconfig:
            continue
        is_admin = identity.file == "admin"
        target = layout.kubeconfig if is_admin else layout.component_kubeconfig(identity.file)
        files = {
            "ca": (layout.pki / "ca.crt").read_bytes(),
            "crt": (layout.pki / f"{identity.file}.crt").read_bytes(),
            "key": (layout.pki / f"{identity.file}.key").read_bytes(),
        }
        _write_private(target, build_kubeconfig(server, f"trading-{layout.profile.name}", files))


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
