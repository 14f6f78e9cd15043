"""A Helm chart that makes the same children as the operator."""

import json
from pathlib import Path

from bench.workload import NAME, NAMESPACE, Template

_CHART = "apiVersion: v2\nname: system\nversion: 1.0.0\n"


def write_chart(template: Template, folder: Path) -> Path:
    """Write the chart; its release's name is the system's."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(_CHART, encoding="utf-8")
    (folder / "templates" / "children.yaml").write_text(build_documents(template), encoding="utf-8")
    return folder


def build_documents(template: Template) -> str:
    """Build the chart's only file: the children without the owner, which Helm has none of."""
    documents = []
    for child in template.children:
        metadata = {k: v for k, v in child.manifest["metadata"].items() if k != "ownerReferences"}
        text = json.dumps({**child.manifest, "metadata": metadata})
        text = text.replace("{{", '{{ "{{" }}')  # none of the children's own is Helm's
        for place, value in ((NAMESPACE, "Namespace"), (NAME, "Name")):
            text = text.replace(place, f"{{{{ .Release.{value} }}}}")
        documents.append(text)
    return "\n---\n".join(documents) + "\n"
