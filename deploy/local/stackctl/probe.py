"""Asking a program whether it is ready, in its own protocol."""

from __future__ import annotations

import socket
import struct
import urllib.error
import urllib.request
from urllib.parse import urlsplit

SECONDS_MAX = 2.0


def waiting_for(probe: str) -> str | None:
    """What a program still lacks; nothing when it is ready. `http://…` wants 200, `kafka://host:port/n` n brokers."""
    try:
        if probe.startswith("kafka://"):
            return _kafka(probe)
        return _http(probe)
    except OSError as cause:
        return f"{probe}: {cause}"


def _http(url: str) -> str | None:
    # Proxies are for the world outside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS_MAX) as answer:
            return None if answer.status == 200 else f"{url} answers {answer.status}"
    except urllib.error.HTTPError as refusal:
        return f"{url} answers {refusal.code}: {refusal.read(300).decode(errors='replace').strip()}"


def _kafka(probe: str) -> str | None:
    """A Metadata request: a broker that has joined is in the answer, and there is a controller."""
    parts = urlsplit(probe)
    wanted = int(parts.path.strip("/"))
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_MAX) as connection:
        # api key 3 version 1, correlation id 1, client id "stack", then an array of no topics
        request = struct.pack(">hhih5si", 3, 1, 1, 5, b"stack", 0)
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", _exactly(connection, 4))[0]
        answer = _exactly(connection, size)
    at = 4
    (brokers,) = struct.unpack_from(">i", answer, at)
    at += 4
    for _ in range(brokers):
        at += 4  # node id
        at += 2 + struct.unpack_from(">h", answer, at)[0]  # host
        at += 4  # port
        at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])  # rack, -1 for none
    (controller,) = struct.unpack_from(">i", answer, at)
    if brokers < wanted:
        return f"{brokers} of {wanted} brokers have joined"
    return "there is no controller yet" if controller < 0 else None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the connection ended in the middle of an answer")
        data += more
    return data
