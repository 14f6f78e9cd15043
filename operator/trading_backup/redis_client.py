"""The little of Redis' protocol that is needed to ask a server and to restore one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading_backup.stopping import Stop

Word = bytes | str | int
Reply = bytes | int | list["Reply"] | None

_CONNECT_SECONDS = 10.0
_STOP_CHECK_SECONDS = 0.5


class RedisReplyError(Exception):
    """The server answered with an error; the text is the server's."""


class RedisClient:
    """One connection, one question at a time."""

    def __init__(self, connection: socket.socket, stop: Stop) -> None:
        """Talk over a connected socket."""
        self._socket = connection
        self._socket.settimeout(_STOP_CHECK_SECONDS)
        self._stop = stop
        self._buffer = bytearray()

    def ask(self, *words: Word) -> Reply:
        """Send a command; return the reply, raise RedisReplyError for an error."""
        self._socket.sendall(encode_command(words))
        reply = self._read_reply()
        if isinstance(reply, RedisReplyError):
            raise reply
        return reply

    def ask_bytes(self, *words: Word) -> bytes:
        """Send a command that answers with a string."""
        reply = self.ask(*words)
        assert isinstance(reply, bytes), f"{words[0]!r} answered with {type(reply)}"
        return reply

    def scan(self) -> Iterator[list[bytes]]:
        """Yield the keys of the selected database in batches; a key may come twice."""
        cursor = b"0"
        while True:
            reply = self.ask("SCAN", cursor, "COUNT", 1000)
            assert isinstance(reply, list)
            place, keys = reply
            assert isinstance(place, bytes)
            assert isinstance(keys, list)
            if keys:
                yield [key for key in keys if isinstance(key, bytes)]
            if place == b"0":
                return
            cursor = place

    def _read_reply(self) -> Reply | RedisReplyError:
        line = self._read_line()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return RedisReplyError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._read_exactly(int(rest))
        if kind == b"*":
            return self._read_list(int(rest))
        return rest

    def _read_list(self, length: int) -> list[Reply]:
        items = [self._read_reply() for _ in range(length)]
        for item in items:
            if isinstance(item, RedisReplyError):
                raise item
        return [item for item in items if not isinstance(item, RedisReplyError)]

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_exactly(self, length: int) -> bytes:
        while len(self._buffer) < length + 2:
            self._receive()
        content = bytes(self._buffer[:length])
        del self._buffer[: length + 2]
        return content

    def _receive(self) -> None:
        while True:
            self._stop.check()
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                raise ConnectionError("the server closed the connection")
            self._buffer += chunk
            return


def encode_command(words: tuple[Word, ...]) -> bytes:
    """Encode a command as the protocol wants it: the number of words, each with its length."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"".join([b"*%d\r\n" % len(encoded), *(b"$%d\r\n%b\r\n" % (len(w), w) for w in encoded)])


@contextmanager
def connect_tcp(host: str, port: int, password: str, stop: Stop) -> Iterator[RedisClient]:
    """Connect to a server and log in, for the time of the block."""
    with socket.create_connection((host, port), _CONNECT_SECONDS) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client = RedisClient(connection, stop)
        if password:
            client.ask("AUTH", password)
        yield client


@contextmanager
def connect_unix(path: Path, stop: Stop) -> Iterator[RedisClient]:
    """Connect to a server on this machine, for the time of the block."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        yield RedisClient(connection, stop)
