"""The default storage class of both profiles and the process that serves it."""

import sys
from pathlib import Path
from string import Template

from cluster.layout import STORAGE_PROVISIONER, Layout
from cluster.processes import Component

TEMPLATE = Path(__file__).parent / "config" / "storage.yaml"
SYSTEM_PYTHON = Path("/usr/bin/python3")
PACKAGE_ROOT = Path(__file__).parent.parent


def build_storage_provisioner(layout: Layout) -> Component:
    """Build our own volume provisioner."""
    # Always the same interpreter, or callers with different ones would restart it in turn.
    python = str(SYSTEM_PYTHON) if SYSTEM_PYTHON.exists() else sys.executable
    command = (
        python,
        *("-m", "cluster.storage_provisioner"),
        *("--kubeconfig", str(layout.component_kubeconfig("storage-provisioner"))),
        *("--root", str(layout.state / "volumes")),
    )
    environment = {"PYTHONPATH": str(PACKAGE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return Component("storage-provisioner", command, environment=environment)


def storage_manifest(layout: Layout) -> Path:
    """Return the rendered manifest of the storage class."""
    return layout.config / "storage.yaml"


def write_storage_config(layout: Layout) -> None:
    """Render the manifest of the storage class."""
    text = Template(TEMPLATE.read_text(encoding="utf-8"))
    manifest = text.substitute(storage_provisioner=STORAGE_PROVISIONER)
    storage_manifest(layout).write_text(manifest, encoding="utf-8")
