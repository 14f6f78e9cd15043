"""Where the API server is and how it is talked to."""

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp

from trading_operator.kube.service_account import find_service_account

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


class Identity(Protocol):
    """Who we are: a pod's service account, or what the official client makes of a kubeconfig."""

    proxy: str | None

    async def get_api_key_with_prefix(self, identifier: str, /) -> str | None:
        """Return the Authorization header of a request that is sent now, None for none."""


@dataclass(frozen=True)
class Connection:
    """A server with everything that a session to it needs."""

    server: str
    identity: Identity
    ssl_context: ssl.SSLContext | bool
    agent: str = "trading-operator"
    # Seconds after which a connection breaks whose bytes nobody confirms; None: the kernel's own.
    unacknowledged: float | None = None

    def open_session(self, connections: int = 0) -> aiohttp.ClientSession:
        """Open a session that authorizes each request; 0 connections means no limit."""
        connector = aiohttp.TCPConnector(
            limit=connections,
            ssl=self.ssl_context,
            keepalive_timeout=90,
            ttl_dns_cache=60,
            socket_factory=self._open_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            middlewares=(self._authorize,),
            headers={"User-Agent": self.agent},
            proxy=self.identity.proxy,
        )

    def _open_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        opened = socket.socket(family, kind, protocol)
        if self.unacknowledged is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = round(self.unacknowledged * 1000)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return opened

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: Handler
    ) -> aiohttp.ClientResponse:
        # Asked anew for every request: a service account's token is replaced every hour, and
        # its file is read again.
        token = await self.identity.get_api_key_with_prefix("BearerToken")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)


async def read_connection(service_account: Path) -> Connection:
    """Read the kubeconfig that KUBECONFIG names, else the pod's service account, else ~/.kube."""
    named = os.environ.get("KUBECONFIG")
    found = None if named else find_service_account(service_account)
    if found is None:
        return await _read_kubeconfig(named)
    server, account = found
    return Connection(server, account, ssl.create_default_context(cafile=account.authority))


async def _read_kubeconfig(file: str | None) -> Connection:
    # Imported here: it is dear, and a pod does without it.
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import load_kube_config

    configuration = Configuration()
    await load_kube_config(file, client_configuration=configuration)  # type: ignore[no-untyped-call]
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    secure = configuration.host.startswith("https")
    return Connection(configuration.host, configuration, tls if secure else False)
