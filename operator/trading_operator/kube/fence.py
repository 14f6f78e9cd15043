"""Holds a write back at the last moment at which the process can do so."""

from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload

from trading_operator.kube.errors import NotLeadingError

MayWrite = Callable[[], bool]


class FencedBody(BytesPayload):
    """A request's body that asks once more right before it is handed to the kernel.

    Between the first question and here lie a connection, perhaps its TLS handshake, and every
    moment at which the process may be stopped and woken when another replica leads. The API
    server acts on no request whose body has not arrived.
    """

    def __init__(self, content: bytes, may_write: MayWrite) -> None:
        super().__init__(content)
        self._may_write = may_write

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the body, or raise NotLeadingError, which breaks the connection."""
        if not self._may_write():
            raise NotLeadingError("while the request was being sent")
        await super().write_with_length(writer, content_length)
