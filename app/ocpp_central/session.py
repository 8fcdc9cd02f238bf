"""One connection of one station: read, answer, command, reconcile; on hang-up everything pending fails at once.

The reader hands answers to their waiters at once and queues calls, which are handled one after the other: that is the
ordering guarantee and, by the queue's bound, the back-pressure (see `reading`). A call holds business time from its
receipt until its answer has left. Nothing that a station sends raises out of a session.

When the database is gone while a call is handled, the socket is closed with 1013 instead of an answer, and handshakes
get 503: chargers repeat a refused transaction message a few times and then drop it, but an offline one must queue
(OCPP 1.6 §3.7.1, OCPP 2.0.1 E04), so that nothing is lost and no acknowledgement is ever given before its commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from websockets.exceptions import ConnectionClosed

from app.bus.subjects import connection_superseded, station_command, station_dismissed, station_orders
from app.domain.commands import Command, Outcome
from app.domain.errors import DatabaseUnavailable, NotFound, StationOffline
from app.domain.raw import RawCall, RawReply
from app.ocpp_central.answering import Answering
from app.ocpp_central.boot import BootGate
from app.ocpp_central.calls import StationCalls
from app.ocpp_central.certification import Certification
from app.ocpp_central.commands import StationCommands
from app.ocpp_central.dialect import Dialect
from app.ocpp_central.onboarding import Onboarding
from app.ocpp_central.raw_door import RawDoor
from app.ocpp_central.reading import INTERNAL, NORMAL, POLICY, TRY_AGAIN_LATER, Over, Reader, Socket
from app.ocpp_central.reconcile import Reconciler
from app.ocpp_central.rpc import Call, call_text
from app.ocpp_central.shared import Shared
from app.ocpp_central.station_clock import StationClock

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

EXPECTED = (Over, StationOffline, DatabaseUnavailable, NotFound)


class Session:
    """See the module. `run` returns when the connection is over, with the socket closed."""

    def __init__(
        self,
        socket: Socket,
        station_id: str,
        dialect: Dialect,
        shared: Shared,
        *,
        needs_boot: bool,
        is_commissioned: bool = True,
        certificate_serial: str | None = None,
    ) -> None:
        self.station_id = station_id
        self._socket = socket
        self._dialect = dialect
        self._shared = shared
        self._clock = shared.transactions.clock
        self._gate = BootGate(needs_boot=needs_boot, is_commissioned=is_commissioned)
        self._frames = shared.frame_log.of(station_id)
        self._calls = StationCalls(self._send_call, self._clock, shared.options.call_timeout_s)
        self._reader = Reader(socket, self._calls, self._frames, self._clock, shared.options, self._count)
        station_clock = StationClock(partial(shared.bus.ring, station_orders(station_id)))
        self._answering = Answering(
            station_id, dialect, shared, self._gate, self._send_answer, self._count, certificate_serial, station_clock
        )
        self._superseded = connection_superseded(id(self))
        self._is_superseded = False
        turn = asyncio.Lock()
        self._commands = StationCommands(station_id, dialect, self._calls, self._gate, shared.counts, turn)
        self._reconciler = Reconciler(
            station_id,
            shared.transactions,
            shared.bus,
            self._gate,
            self._commands.perform,
            turn,
            shared.standing,
            station_clock,
        )
        self._raw_door = RawDoor(
            station_id, dialect, self._calls, self._gate, shared.transactions, turn, self._reconciler.answered_late
        )
        self._onboarding = _onboarding(station_id, dialect, shared, self._gate, self._commands)
        self._certification = _certification(station_id, shared, self._gate, self._commands)

    @property
    def unsettled(self) -> set[int]:
        """The orders whose outcome is not known; to be recorded as such when the session is over (R5)."""
        return self._reconciler.unsettled

    def opened(self, address: str) -> None:
        """The connection is the station's newest; the log says where it comes from."""
        self._frames.event("connected", f"{self._dialect.subprotocol} from {address}")

    def supersede(self) -> None:
        """A newer connection of the station was authenticated: end at once."""
        self._hang_up()
        self._is_superseded = True
        self._shared.bus.ring(self._superseded)

    def _hang_up(self) -> None:
        self._calls.hang_up()
        self._gate.hang_up()

    async def run(self) -> None:
        """Talk with the station until either side ends it."""
        over = Over(INTERNAL, "internal error")
        try:
            with self._shared.bus.serve(station_command(self.station_id), self._command):
                async with asyncio.TaskGroup() as group:
                    for part in (self._read, self._answer_all, self._ask_for_boot, self._await_dismissal):
                        group.create_task(part())
                    group.create_task(self._keep_on("reconcile", self._reconciler.run))
                    group.create_task(self._keep_on("onboarding", self._onboarding.run))
                    group.create_task(self._keep_on("certification", self._certification.run))
                    group.create_task(self._reader.keep_alive())
        except ExceptionGroup as ended:
            over = self._ending(ended)
        finally:
            self._hang_up()
            self._reader.close()
        self._frames.event("closed", f"{over.code} {over.reason}".strip())
        log.info("session_over", station_id=self.station_id, code=over.code, reason=over.reason)
        await self._socket.close(over.code, over.reason)

    async def _command(self, asked: Command | RawCall) -> Outcome | RawReply:
        if isinstance(asked, RawCall):
            return await self._raw_door.answer(asked)
        return await self._commands.answer(asked)

    def _ending(self, ended: ExceptionGroup[Exception]) -> Over:
        """Return how to close: what is our fault first, then what the station must know, else an ordinary end."""
        unexpected = [each for each in ended.exceptions if not isinstance(each, EXPECTED)]
        if unexpected:
            log.error("session_failed", station_id=self.station_id, exc_info=unexpected[0])
            return Over(INTERNAL, "internal error")
        if any(isinstance(each, DatabaseUnavailable) for each in ended.exceptions):
            return Over(TRY_AGAIN_LATER, "try again later")
        if any(isinstance(each, NotFound) for each in ended.exceptions):
            return Over(POLICY, "no longer provisioned")
        overs = [each for each in ended.exceptions if isinstance(each, Over)]
        return max(overs, key=lambda over: (over.code, over.reason), default=Over(NORMAL, ""))

    async def _keep_on(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Keep a loop of ours going: its troubles must not cost the station's messages their answers."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await run()
            except EXPECTED:
                raise
            except Exception:
                self._count(f"{name}_failed")
                log.error(f"{name}_failed", station_id=self.station_id, exc_info=True)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _ask_for_boot(self) -> None:
        options = self._shared.options
        await self._commands.ask_for_boot(options.boot_wait_s, options.reconnect_wait_s)

    async def _await_dismissal(self) -> None:
        with self._shared.bus.listen(station_dismissed(self.station_id), self._superseded) as bell:
            while not self._is_superseded and not await bell.next():
                continue
        if self._is_superseded:
            raise Over(NORMAL, "replaced by a newer connection")
        raise Over(POLICY, "removed, or to boot anew")

    async def _read(self) -> None:
        try:
            await self._reader.run()
        finally:
            self._hang_up()

    async def _answer_all(self) -> None:
        while True:
            received = await self._reader.next()
            with received.hold:
                await self._answering.answer(received.frame, received.received_at)

    async def _send_call(self, call: Call) -> None:
        text = call_text(call.message_id, call.action, call.payload)
        self._frames.called(call, text)
        await self._send(text)

    async def _send_answer(self, action: str, message_id: str, text: str, *, is_error: bool = False) -> None:
        self._frames.answered(action, message_id, text, is_error=is_error)
        await self._send(text)

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._shared.options.send_timeout_s):
                await self._socket.send(text)
        except ConnectionClosed:
            raise StationOffline("the station has hung up") from None
        except TimeoutError:
            raise StationOffline("the station does not read") from None

    def _count(self, what: str, count: int = 1) -> None:
        if what not in self._shared.counts:
            log.warning("first_of_its_kind", station_id=self.station_id, what=what)
        self._shared.counts[what] += count


def _onboarding(
    station_id: str, dialect: Dialect, shared: Shared, gate: BootGate, commands: StationCommands
) -> Onboarding:
    return Onboarding(
        station_id,
        shared.transactions,
        shared.bus,
        gate,
        commands.carry_out,
        dialect=dialect.subprotocol,
        setup=dialect.setup,
        needs=shared.options.needs,
        report_wait_s=shared.options.report_wait_s,
        look=shared.standing,
    )


def _certification(station_id: str, shared: Shared, gate: BootGate, commands: StationCommands) -> Certification:
    return Certification(
        station_id,
        shared.transactions,
        shared.bus,
        gate,
        commands.perform,
        shared.authority,
        shared.options.organisation,
        shared.standing,
    )
