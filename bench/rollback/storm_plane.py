"""A control plane with fake nodes of the bench's own, on which the operator's process runs."""

import dataclasses

from bench.control_plane import ControlPlane
from bench.parameters import Parameters as Size
from bench.stage import set_stage
from cluster import tools
from cluster.embedded import EmbeddedCluster
from cluster.layout import CONTROL_PLANE, build_layout
from cluster.progress import Progress

PROFILE = dataclasses.replace(CONTROL_PLANE, name="rollback", api_port=28444)
FAKE_NODES = 3
NAMESPACES = 8
FAKE_KUBELET = "kwok"


class StormPlane(ControlPlane):
    """The whole control plane, the controller manager and kwok among it."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(build_layout(PROFILE, tools.find_tools()))
        self._progress = progress

    def start(self) -> None:
        """Bring it up empty."""
        self.delete()
        EmbeddedCluster(self.layout, self._progress, FAKE_NODES).start()

    def set_stage(self) -> None:
        """Start, and apply what the operator needs."""
        set_stage(self, Size(namespaces=NAMESPACES))
