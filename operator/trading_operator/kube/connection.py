"""Where the API server is and how it is talked to, as the official client reads it."""

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


@dataclass(frozen=True)
class Connection:
    """A server with everything that a session to it needs."""

    server: str
    configuration: Configuration
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
            proxy=self.configuration.proxy,
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
        # the configuration reads its file again.
        token = await self.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)


async def read_connection() -> Connection:
    """Load the kubeconfig that KUBECONFIG names, else the pod's service account, else ~/.kube."""
    configuration = Configuration()
    if os.environ.get("KUBECONFIG"):
        await load_kube_config(  # type: ignore[no-untyped-call]
            os.environ["KUBECONFIG"], client_configuration=configuration
        )
    else:
        try:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            await load_kube_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
    return Connection(configuration.host, configuration, _build_ssl(configuration))


def _build_ssl(configuration: Configuration) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return False
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
