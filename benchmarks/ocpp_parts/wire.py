"""A station's end of a WebSocket, as light as it gets: thousands of them must not be what is measured.

It masks with zeros (RFC 6455 §5.3 wants a mask, not which), offers no extension, and never fragments.
"""

import asyncio
import base64
import struct
from collections.abc import Callable
from typing import cast

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
SHORT, MEDIUM = 126, 127
LONGEST_HEAD_BYTES = 65_536


class Refused(Exception):
    """The handshake was answered with this HTTP status."""


def framed(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a masked frame."""
    count = len(payload)
    if count < SHORT:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | count)
    elif count < LONGEST_HEAD_BYTES:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | SHORT, count)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | MEDIUM, count)
    return head + bytes(4) + payload


def handshake(identity: str, subprotocol: str, key: str) -> bytes:
    """Return an upgrade request with basic authentication (security profile 1)."""
    credentials = base64.b64encode(f"{identity}:{key}".encode()).decode()
    lines = [
        f"GET /ocpp/{identity} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: c3Vuc2xvdCBiZW5jaG1hcg==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {subprotocol}",
        f"Authorization: Basic {credentials}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class Wire(asyncio.Protocol):
    """One connection. `opened` ends with the handshake, `on_text` gets messages, `on_lost` is told once."""

    def __init__(self, request: bytes, on_text: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._on_text = on_text
        self._on_lost = on_lost
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read what is complete."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self.opened.done() and not self._read_handshake():
            return
        while (frame := self._next()) is not None:
            opcode, payload = frame
            if opcode == TEXT:
                self._on_text(payload)
            elif opcode == PING:
                self._write(framed(payload, PONG))
            elif opcode == CLOSE:
                self._write(framed(payload[:2], CLOSE))
                self.drop()

    def _read_handshake(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        self._buffer = rest
        status = head.split(b" ", 2)[1].decode()
        if status == "101":
            self.opened.set_result(None)
            return True
        self.opened.set_exception(Refused(status))
        self.drop()
        return False

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:  # noqa: PLR2004 - the two bytes that every frame starts with
            return None
        count, start = buffer[1] & 0x7F, 2
        if count == SHORT:
            start = 4
            count = int.from_bytes(buffer[2:4]) if len(buffer) >= start else LONGEST_HEAD_BYTES
        elif count == MEDIUM:
            start = 10
            count = int.from_bytes(buffer[2:10]) if len(buffer) >= start else LONGEST_HEAD_BYTES
        if len(buffer) < start + count:
            return None
        self._buffer = buffer[start + count :]
        return buffer[0] & 0x0F, buffer[start : start + count]

    def send(self, text: bytes) -> None:
        """Send a text message."""
        self._write(framed(text))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def drop(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError())
        self._on_lost()
