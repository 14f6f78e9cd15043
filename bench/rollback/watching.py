"""A raw watch of a namespace's pods, Events and systems, which notes when each word came."""

import threading
import time
from http.client import HTTPException

from bench.rollback.reports import EVENTS, PODS, SYSTEMS, Sighting
from cluster.kubernetes_api import ApiClient, ApiError

WATCH_SECONDS = 6 * 3600  # longer than a run: what happens between two watches would be missed
AGAIN_SECONDS = 0.2


class NamespaceWatch:
    """Follows a namespace for as long as the process runs."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._seen: list[Sighting] = []
        for resource in (PODS, EVENTS, SYSTEMS):
            threading.Thread(target=self._follow, args=(resource,), daemon=True).start()

    def all_seen(self) -> list[Sighting]:
        """Return all that was told so far."""
        return list(self._seen)

    def _follow(self, resource: str) -> None:
        root = "/apis/tradingoperator.io/v1alpha1" if resource == SYSTEMS else "/api/v1"
        path = f"{root}/namespaces/{self._namespace}/{resource}"
        while True:
            try:
                for event in self._client.watch(path, WATCH_SECONDS):
                    # The list is shared, and appending to one is safe.
                    seen = time.time()
                    self._seen.append(Sighting(seen, resource, event["type"], event["object"]))
            except (ApiError, OSError, HTTPException):
                pass  # the cluster ended, or the server ended the watch
            time.sleep(AGAIN_SECONDS)
