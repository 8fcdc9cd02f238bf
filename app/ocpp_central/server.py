"""The OCPP central's own port: handshakes, and the newest authenticated socket of every station."""

import asyncio
import contextlib
import logging
import time
import uuid
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import cast

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.extensions.permessage_deflate import enable_server_permessage_deflate
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from app.bus import Bus
from app.domain.certificates import CertificateAuthority, SignedByHand
from app.domain.errors import DatabaseUnavailable
from app.domain.identity import Admission, Knock, Proof, StationRefused
from app.ocpp_central.batch import GroupCommit, MeterBatch
from app.ocpp_central.departures import Departure, Departures
from app.ocpp_central.dialect import Dialect
from app.ocpp_central.doorway import Doorway, StationConnection, Welcome
from app.ocpp_central.frame_log import FrameLog
from app.ocpp_central.handshake import FailureLimit, choose_dialect, credentials_of, identity_of
from app.ocpp_central.options import CentralOptions
from app.ocpp_central.refusals import Refusals
from app.ocpp_central.repair_book import RepairBook
from app.ocpp_central.session import Session
from app.ocpp_central.shared import Shared
from app.ocpp_central.tls import TlsMaterial
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201
from app.operations import admission, standing
from app.operations.admission import Arrival
from app.operations.transaction import Transactions

__all__ = ["Central", "CentralOptions"]

log = structlog.get_logger()
wire_log = logging.getLogger("sunslot.websockets")
wire_log.setLevel(logging.CRITICAL)  # its debug lines would show keys, its errors are peers that vanish

DIALECTS: dict[str, Dialect] = {dialect.subprotocol: dialect for dialect in (Ocpp201(), Ocpp16())}
MOST_MOVES_COUNT = 500
FORGOTTEN = Request("", Headers())  # what was read of a handshake is as large as the rest of a connection
BACKLOG_COUNT = 4096  # a whole fleet comes back at once; what the kernel drops comes again only after seconds
PROTOCOL_ERROR, TRY_AGAIN_LATER = 1002, 1013
UNAUTHORIZED_TEXT = "unknown station or wrong key\n"


class Central:
    """Accepts stations while `serving()`. `counts` tells how often which oddity was met."""

    def __init__(
        self,
        transactions: Transactions,
        bus: Bus,
        options: CentralOptions,
        authority: CertificateAuthority | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._options = options
        self._transactions = transactions
        frame_log = FrameLog(transactions, options.keep_frames_count)
        self._knocks: GroupCommit[Knock, Admission] = GroupCommit(
            "handshakes",
            transactions,
            partial(admission.admit, organisation=options.organisation),
            most_count=options.max_handshake_count,
        )
        self._moves: GroupCommit[Arrival | admission.Departure, None] = GroupCommit(
            "connections", transactions, admission.move, most_count=MOST_MOVES_COUNT
        )
        self._standings = GroupCommit("standings", transactions, standing.of, most_count=MOST_MOVES_COUNT)
        self._shared = Shared(
            transactions,
            bus,
            options,
            MeterBatch(transactions),
            self._standings.ask,
            self.counts,
            frame_log,
            RepairBook(transactions),
            authority or SignedByHand(),
        )
        self._failures = FailureLimit(options.failure_limit_count, options.failure_window_s)
        self._refusals = Refusals(transactions, self.counts)
        self._departures = Departures(transactions)
        self._doorway = Doorway(options.max_opening_count, options.max_opening_per_address_count)
        self._sessions: dict[str, Session] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._server: Server | None = None
        self._tls_server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is served without TLS; raises RuntimeError while none is."""
        return _port_of(self._server)

    @property
    def tls_port(self) -> int:
        """The port that is served with TLS; raises RuntimeError while none is."""
        return _port_of(self._tls_server)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the context lasts; raises OSError where a port is taken or a TLS file cannot be read."""
        options = self._options
        loops = (self._shared.batch, self._refusals, self._departures, self._knocks, self._moves, self._standings)
        writers = [asyncio.create_task(each.run()) for each in loops]
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._shared.frame_log.writing())
                await stack.enter_async_context(self._shared.repairs.writing())
                self._server = await stack.enter_async_context(self._serve(options.port, None))
                if options.tls_port is not None and options.tls_files is not None:
                    tls = await asyncio.to_thread(TlsMaterial, options.tls_files)
                    self._tls_server = await stack.enter_async_context(self._serve(options.tls_port, tls))
                stack.callback(self._doorway.clear)
                yield
        finally:
            self._server = self._tls_server = None
            for writer in writers:
                writer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writer
            await self._refusals.write()

    def _serve(self, port: int, tls: TlsMaterial | None) -> AbstractAsyncContextManager[Server]:
        options = self._options
        connection = partial(
            StationConnection,
            doorway=self._doorway,
            tls=tls,
            tls_failed=self._tls_failed,
            open_timeout_s=options.open_timeout_s,
        )
        return serve(
            self._talk,
            options.host,
            port,
            process_request=self._admit,
            select_subprotocol=self._select_subprotocol,
            compression=None,
            open_timeout=options.open_timeout_s,
            close_timeout=options.close_timeout_s,
            ping_interval=None,  # a session pings by itself, see `reading`
            max_size=options.max_frame_bytes,
            max_queue=options.max_queue_count,
            create_connection=cast("type[ServerConnection]", connection),
            logger=wire_log,
            server_header=None,
            backlog=BACKLOG_COUNT,
        )

    # --- handshake

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let the handshake go on, or answer it with an HTTP error."""
        if not isinstance(connection, StationConnection):
            raise TypeError("not one of our connections")
        servers = (self._server, self._tls_server)
        if sum(len(each.handler_tasks) for each in servers if each) > self._options.max_connection_count:
            self.counts["too_many_connections"] += 1
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        identity = identity_of(request.path)
        if identity is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "the path must end in a station identity\n")
        try:
            admitted = await self._check(request, identity, connection.proof)
        except DatabaseUnavailable:
            self.counts["handshake_without_database"] += 1
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "try again later\n")
        if isinstance(admitted, StationRefused):
            return self._refused(connection, identity, admitted)
        self._failures.admitted(connection.address, identity)
        self._doorway.admitted(connection)
        dialect, complaint = choose_dialect(admitted.dialect, _offered(request), DIALECTS)
        connection.welcome = Welcome(admitted, dialect, complaint)
        if dialect is not None and dialect.wants_deflate and self._options.is_deflate_offered:
            connection.protocol.available_extensions = enable_server_permessage_deflate(None)
        return None

    async def _check(self, request: Request, identity: str, proof: Proof) -> Admission:
        """Ask the database. What cannot be right is asked with no key and refused all the same: it costs as much."""
        credentials = credentials_of(request.headers.get_all("Authorization"), identity)
        proof = proof if credentials.is_sound else admission.PLAIN
        admitted = await self._knocks.ask(Knock(identity, credentials.key, proof))
        return admitted if credentials.is_sound else StationRefused("unsound credentials")

    def _refused(self, connection: StationConnection, identity: str, refused: StationRefused) -> Response:
        self.counts["handshake_refused"] += 1
        self._refusals.note(identity, refused.reason, connection.address)
        if self._failures.failed(connection.address, identity, time.monotonic()):
            self.counts["handshake_too_often"] += 1
            response = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, UNAUTHORIZED_TEXT)
            response.headers["Retry-After"] = str(int(self._options.failure_window_s))
            return response
        log.warning("handshake_refused", identity=identity, address=connection.address, reason=refused.reason)
        response = connection.respond(HTTPStatus.UNAUTHORIZED, UNAUTHORIZED_TEXT)
        response.headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
        return response

    def _tls_failed(self, address: str, reason: str) -> None:
        """A TLS handshake failed, so nobody knows whose it was: the log alone says why, and not for ever."""
        self.counts["tls_failed"] += 1
        if not self._failures.failed(address, "", time.monotonic()):
            log.warning("tls_failed", address=address, reason=reason)

    def _select_subprotocol(self, connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        welcome = connection.welcome if isinstance(connection, StationConnection) else None
        if welcome is None or welcome.dialect is None:
            return None
        chosen = Subprotocol(welcome.dialect.subprotocol)
        return chosen if chosen in offered else None

    # --- connections

    async def _talk(self, connection: ServerConnection) -> None:
        if not isinstance(connection, StationConnection) or connection.welcome is None:
            return
        welcome = connection.welcome
        connection.request, connection.response = FORGOTTEN, None
        if welcome.dialect is None:
            self.counts["no_common_subprotocol"] += 1
            log.warning("dialect_refused", station_id=welcome.station.station_id, reason=welcome.complaint)
            self._refusals.note(welcome.station.station_id, "no common subprotocol", connection.address)
            await connection.close(PROTOCOL_ERROR, welcome.complaint[:120])
            return
        station_id, connection_id = welcome.station.station_id, str(uuid.uuid4())
        session = Session(
            connection,
            station_id,
            welcome.dialect,
            self._shared,
            needs_boot=welcome.station.needs_boot,
            is_commissioned=welcome.station.is_commissioned,
            certificate_serial=welcome.station.certificate_serial,
        )
        try:
            await self._register(session, welcome.dialect.subprotocol, connection_id)
            session.opened(connection.address)
            await session.run()
        except DatabaseUnavailable:
            await connection.close(TRY_AGAIN_LATER, "try again later")
        finally:
            await self._unregister(session, connection_id)

    async def _register(self, session: Session, dialect: str, connection_id: str) -> None:
        """Make this the station's newest connection, in memory and in the database, in the same order."""
        async with self._lock_of(session.station_id):
            older = self._sessions.get(session.station_id)
            self._sessions[session.station_id] = session
            if older is not None:
                older.supersede()
            await self._moves.ask(Arrival(session.station_id, dialect, connection_id))
        log.info("station_connected", station_id=session.station_id, dialect=dialect, is_newer=older is not None)

    async def _unregister(self, session: Session, connection_id: str) -> None:
        """Forget the connection unless a newer one took its place; what was being sent is unknown (R5)."""
        if self._sessions.get(session.station_id) is session:
            del self._sessions[session.station_id]
        await self._departures.record(Departure(session.station_id, connection_id, frozenset(session.unsettled)))

    def _lock_of(self, station_id: str) -> asyncio.Lock:
        lock = self._locks.get(station_id)
        if lock is None:
            lock = self._locks[station_id] = asyncio.Lock()
        return lock


def _port_of(server: Server | None) -> int:
    if server is None:
        raise RuntimeError("the OCPP central is not serving")
    return int(next(iter(server.sockets)).getsockname()[1])


def _offered(request: Request) -> list[str]:
    try:
        headers = request.headers.get_all("Sec-WebSocket-Protocol")
        return [name for header in headers for name in parse_subprotocol(header)]
    except InvalidHeader:
        return []
