"""Services: the address of a component."""

from collections.abc import Mapping

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
)


def build_service(part: Part, name: str, ports: Mapping[str, int]) -> Manifest:
    """Build the Service; `ports` maps the pods' port names to the Service's numbers."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": build_metadata(part.owner, name, build_part_labels(part)),
        "spec": {
            "type": "ClusterIP",
            "selector": build_selector(part.owner, part.component),
            "ports": [
                {"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
                for port, number in ports.items()
            ],
        },
    }
