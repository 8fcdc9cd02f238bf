"""Connections that have not shown yet who they are: bounded, so that nobody's half-open ones starve the others.

A connection stands in the doorway from its TCP accept, through TLS and the handshake, until its station is admitted.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from app.domain.identity import Proof, StationAdmitted
from app.ocpp_central.dialect import Dialect
from app.ocpp_central.tls import TlsMaterial, proof_of, why_failed

MOST_CONTROLS_COUNT, CONTROLS_PER_S = 500, 10.0


class Doorway:
    """Who stands in the doorway, by address, oldest first.

    When it is full, or one address holds too much of it, the oldest of the address in question is hung up, never the
    newcomer: a real station needs milliseconds. Addresses of admitted stations have no bound of their own (many
    stations come back through one router). `waiting_count` stand in it, `hung_up_count` had to go.
    """

    def __init__(self, most_count: int, most_per_address_count: int) -> None:
        self.hung_up_count = 0
        self._most_count = most_count
        self._most_per_address_count = most_per_address_count
        self._waiting: dict[str, dict[StationConnection, None]] = {}
        self.waiting_count = 0
        self._admitted: Counter[str] = Counter()

    def arrived(self, connection: "StationConnection") -> None:
        """A connection was accepted; somebody else's may be hung up for it."""
        address = connection.address
        self._waiting.setdefault(address, {})[connection] = None
        self.waiting_count += 1
        if len(self._waiting[address]) > self._most_per_address_count and address not in self._admitted:
            self._hang_up_oldest(address)
        if self.waiting_count > self._most_count:
            self._hang_up_oldest(max(self._waiting, key=lambda each: len(self._waiting[each])))

    def admitted(self, connection: "StationConnection") -> None:
        """A connection's station was admitted."""
        if self._forget(connection):
            self._admitted[connection.address] += 1
            connection.is_admitted = True

    def left(self, connection: "StationConnection") -> None:
        """A connection is over."""
        self._forget(connection)
        if connection.is_admitted:
            connection.is_admitted = False
            self._admitted[connection.address] -= 1
            if not self._admitted[connection.address]:
                del self._admitted[connection.address]

    def clear(self) -> None:
        """Hang up everybody in the doorway."""
        for address in list(self._waiting):
            while address in self._waiting:
                self._hang_up_oldest(address)

    def _hang_up_oldest(self, address: str) -> None:
        oldest = next(iter(self._waiting[address]))
        self._forget(oldest)
        self.hung_up_count += 1
        oldest.hang_up()

    def _forget(self, connection: "StationConnection") -> bool:
        waiting = self._waiting.get(connection.address)
        if waiting is None or connection not in waiting:
            return False
        del waiting[connection]
        self.waiting_count -= 1
        if not waiting:
            del self._waiting[connection.address]
        return True


class Welcome:
    """An admitted station and what it will speak; `complaint` says why the connection is closed at once."""

    def __init__(self, station: StationAdmitted, dialect: Dialect | None, complaint: str) -> None:
        self.station = station
        self.dialect = dialect
        self.complaint = complaint


class StationConnection(ServerConnection):
    """A connection that stands in the doorway, starts TLS itself where it has to, and remembers whom it admitted.

    TLS is started here and not by the listener, so that connections count from their accept on, and every one gets the
    newest certificates. Bytes that come before TLS is ready are handed over to it; what the peer sends together with
    the end of its TLS handshake waits until the handshake is known to be over here. `tls_failed` is told the address
    and the reason where it fails.

    Pings are answered as they are read, past every queue and pace of messages; who sends them by the hundreds, or
    10 a second for ever, is hung up on: unread pongs would fill our memory, and answering them our time.
    """

    def __init__(
        self,
        *args: Any,
        doorway: Doorway,
        tls: TlsMaterial | None,
        tls_failed: Callable[[str, str], None],
        open_timeout_s: float,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.welcome: Welcome | None = None
        self.is_admitted = False
        self.address = ""
        self._doorway = doorway
        self._tls = tls
        self._tls_failed = tls_failed
        self._open_timeout_s = open_timeout_s
        self._raw: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_made = False
        self._early = bytearray()
        self._controls_left = float(MOST_CONTROLS_COUNT)
        self._controls_at_s = self.loop.time()

    @property
    def proof(self) -> Proof:
        """What was proved below the handshake."""
        return proof_of(self._tls is not None, self.transport.get_extra_info("peercert"))

    def hang_up(self) -> None:
        """End the connection without a word."""
        if self._raw is not None:
            self._raw.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TCP connection was accepted."""
        self._raw = raw = cast(asyncio.Transport, transport)
        peer = raw.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._doorway.arrived(self)
        if self._tls is None:
            self._made(raw)
        else:
            self._opening = self.loop.create_task(self._start_tls(raw, self._tls))

    async def _start_tls(self, transport: asyncio.Transport, tls: TlsMaterial) -> None:
        securing = self.loop.create_task(
            self.loop.start_tls(
                transport,
                self,
                tls.context(),
                server_side=True,
                ssl_handshake_timeout=self._open_timeout_s,
                ssl_shutdown_timeout=self.close_timeout,
            )
        )
        await asyncio.sleep(0)  # its first step: from now on what comes is read by TLS
        self.loop.call_soon(self._hand_over, cast(asyncio.BufferedProtocol, transport.get_protocol()))
        try:
            secured = await securing
        except OSError as failed:
            secured = None
            self._tls_failed(self.address, why_failed(failed))
        if secured is None:
            self._doorway.left(self)
            transport.abort()
            return
        self._made(secured)
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            super().data_received(early)

    def _hand_over(self, protocol: asyncio.BufferedProtocol) -> None:
        """Give TLS what came before it was ready (uvloop reads at once)."""
        early, self._early = self._early, bytearray()
        while early and self._raw is not None and not self._raw.is_closing():
            buffer = memoryview(protocol.get_buffer(len(early)))
            count = min(len(buffer), len(early))
            buffer[:count] = early[:count]
            del early[:count]
            protocol.buffer_updated(count)

    def _made(self, transport: asyncio.Transport) -> None:
        self._is_made = True
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take data, also while TLS is not known to be over yet."""
        if self._is_made:
            super().data_received(data)
        else:
            self._early += data

    def process_event(self, event: Event) -> None:
        """Take what was read; the peer may only send so many control frames."""
        if isinstance(event, Frame) and event.opcode in (Opcode.PING, Opcode.PONG):
            now_s = self.loop.time()
            refilled = self._controls_left + (now_s - self._controls_at_s) * CONTROLS_PER_S
            self._controls_left, self._controls_at_s = min(refilled, MOST_CONTROLS_COUNT) - 1, now_s
            if self._controls_left < 0:
                self.hang_up()
                return
        super().process_event(event)

    def eof_received(self) -> None:
        """The peer sends no more."""
        if self._is_made:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, maybe before it was secured."""
        self._doorway.left(self)
        if self._is_made:
            super().connection_lost(exc)
