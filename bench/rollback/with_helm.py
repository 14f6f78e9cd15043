"""Helm beside it: the same change of the same Deployment, by `helm upgrade`."""

import json
import shutil
from pathlib import Path

from bench.processes import Process, start_process
from bench.rollback.failures import GOOD, Version
from bench.rollback.node import Node, make_place
from bench.rollback.objects import RELEASE, Object, build_release
from bench.subjects import HELM
from cluster.commands import run

NAMESPACE = "bench-rollback-helm"
MEND_SECONDS = 240
_CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


class Helm:
    """A release with the objects that the operator made of the good version."""

    name = HELM
    service = RELEASE
    patience = 30.0
    has_status = False

    def __init__(self, node: Node, objects: tuple[Object, Object], timeout_seconds: int) -> None:
        self.place = make_place(node, NAMESPACE)
        self._deployment, self._service = objects
        self._timeout_seconds = timeout_seconds
        self._process: Process | None = None
        self.mend()

    def change(self, version: Version) -> None:
        """Start an upgrade that goes back when it fails."""
        back = ["--rollback-on-failure", f"--timeout={self._timeout_seconds}s"]
        log = self.place.node.folder / "logs" / f"helm-{version.name}.log"
        command = self._build_command(version, *back)
        self._process = start_process(command, self._environment(), log)

    def has_ended(self) -> bool:
        """Tell whether helm has."""
        return self._process is None or self._process.popen.poll() is not None

    def told(self) -> str:
        """Return helm's last words."""
        if self._process is None:
            return ""
        words = self._process.log.read_text(encoding="utf-8", errors="replace").strip()
        return f"exit status {self._process.popen.poll()}: {words[-300:]}"

    def mend(self) -> None:
        """Have the good version serve: most often that is nothing to do."""
        if self._process is not None:
            self._process.stop()
        command = self._build_command(GOOD, f"--timeout={MEND_SECONDS}s")
        run(command, environment=self._environment(), timeout=MEND_SECONDS + 10)

    def _build_command(self, version: Version, *options: str) -> list[str]:
        chart = self._write_chart(version)
        helm = str(self.place.node.tools.bin_dir / "helm")
        upgrade = [helm, "upgrade", "--install", RELEASE, str(chart), "--wait"]
        kubeconfig = f"--kubeconfig={self.place.node.tools.kubeconfig}"
        return [*upgrade, kubeconfig, f"--namespace={NAMESPACE}", *options]

    def _write_chart(self, version: Version) -> Path:
        folder = self.place.node.folder / "charts" / version.name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text(_CHART, encoding="utf-8")
        objects = build_release(self._deployment, self._service, version)
        # None of the braces in the program is Helm's.
        texts = (json.dumps(each).replace("{{", '{{ "{{" }}') for each in objects)
        path = folder / "templates" / "objects.yaml"
        path.write_text("\n---\n".join(texts) + "\n", encoding="utf-8")
        return folder

    def _environment(self) -> dict[str, str]:
        home = str(self.place.node.folder / "helm")
        return {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
