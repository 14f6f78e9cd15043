"""Redis' protocol, as far as it is spoken here."""

import socket
from collections.abc import Iterator

import pytest

from trading_backup.redis_client import RedisClient, RedisReplyError, encode_command
from trading_backup.stopping import Stop


@pytest.fixture
def ends() -> Iterator[tuple[RedisClient, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield RedisClient(ours, Stop()), theirs


def test_words_are_sent_with_their_lengths_whatever_they_hold() -> None:
    sent = encode_command(("SET", b"a\r\nb\x00", 7))
    assert sent == b"*3\r\n$3\r\nSET\r\n$5\r\na\r\nb\x00\r\n$1\r\n7\r\n"


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (b"+OK\r\n", b"OK"),
        (b":42\r\n", 42),
        (b"$5\r\na\r\nb\x00\r\n", b"a\r\nb\x00"),
        (b"$0\r\n\r\n", b""),
        (b"$-1\r\n", None),
        (b"*0\r\n", []),
        (b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n", [b"0", [b"k"]]),
    ],
)
def test_each_kind_of_reply_is_read(
    ends: tuple[RedisClient, socket.socket], said: bytes, reply: object
) -> None:
    client, server = ends
    server.sendall(said)
    assert client.ask("ANY") == reply


def test_an_error_is_raised_in_the_servers_words(ends: tuple[RedisClient, socket.socket]) -> None:
    client, server = ends
    server.sendall(b"-NOAUTH Authentication required.\r\n+PONG\r\n")
    with pytest.raises(RedisReplyError, match=r"^NOAUTH Authentication required\.$"):
        client.ask("GET", "x")
    assert client.ask("PING") == b"PONG"


def test_a_closed_connection_is_no_reply(ends: tuple[RedisClient, socket.socket]) -> None:
    client, server = ends
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        client.ask("PING")


def test_keys_are_scanned_to_the_end(ends: tuple[RedisClient, socket.socket]) -> None:
    client, server = ends
    server.sendall(
        b"*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
        b"*2\r\n$1\r\n9\r\n*0\r\n"
        b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n"
    )
    assert list(client.scan()) == [[b"a", b"b"], [b"c"]]
    assert server.recv(4096).count(b"SCAN") == 3
