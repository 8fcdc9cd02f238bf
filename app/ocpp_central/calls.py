"""Our calls to one station: one outstanding at a time, answers matched by id, everything failing at once on hang-up."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from app.domain.clock import Clock
from app.domain.errors import StationFault, StationOffline, StationTimeout
from app.ocpp_central.rpc import Call, CallError, CallResult, Payload

MOST_LATE_COUNT = 32
MOST_WAITING_COUNT = 32

Late = Callable[[Payload], None]


class StationCalls:
    """The sending half of a connection.

    A call that timed out may name `on_late`: its answer is handed over if it still comes (the limit ledger needs it).
    """

    def __init__(self, send: Callable[[Call], Awaitable[None]], clock: Clock, timeout_s: float) -> None:
        self._send = send
        self._clock = clock
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._waiting_count = 0
        self._pending: tuple[str, asyncio.Future[Payload]] | None = None
        self._late: OrderedDict[str, Late] = OrderedDict()
        self._is_up = True

    async def call(self, action: str, payload: Payload, on_late: Late | None = None) -> Payload:
        """Return the station's answer.

        Raises StationOffline (hung up), StationTimeout (no answer in time, or too many calls wait), StationFault
        (CALLERROR). Business time is held until it ends.
        """
        if self._waiting_count >= MOST_WAITING_COUNT:
            raise StationTimeout("too many calls wait for the station")
        self._waiting_count += 1
        try:
            with self._clock.hold():
                async with self._turn:
                    return await self._ask(action, payload, on_late)
        finally:
            self._waiting_count -= 1

    async def _ask(self, action: str, payload: Payload, on_late: Late | None) -> Payload:
        if not self._is_up:
            raise StationOffline("the station has hung up")
        message_id = str(uuid.uuid4())
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._pending = (message_id, answer)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send(Call(message_id, action, payload))
                return await answer
        except TimeoutError:
            raise StationTimeout(f"no answer to {action} in time") from None
        finally:
            self._pending = None
            if on_late is not None and (answer.cancelled() or not answer.done()):
                self._expect_late(message_id, on_late)
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # seen, also where sending failed first

    def _expect_late(self, message_id: str, on_late: Late) -> None:
        self._late[message_id] = on_late
        while len(self._late) > MOST_LATE_COUNT:
            self._late.popitem(last=False)

    def settle(self, frame: CallResult | CallError) -> bool:
        """Hand an answer to whoever waits for it; return whether anybody does or did."""
        if self._pending is not None and self._pending[0] == frame.message_id:
            answer = self._pending[1]
            if answer.done():
                return False
            if isinstance(frame, CallResult):
                answer.set_result(frame.payload)
            else:
                detail = f"{frame.code} {frame.description}".strip()
                answer.set_exception(StationFault(detail, error_code=frame.code, error_description=frame.description))
            return True
        on_late = self._late.pop(frame.message_id, None)
        if on_late is not None and isinstance(frame, CallResult):
            on_late(frame.payload)
        return on_late is not None

    def hang_up(self) -> None:
        """Fail the outstanding call and all further ones."""
        self._is_up = False
        self._late.clear()
        if self._pending is not None and not self._pending[1].done():
            self._pending[1].set_exception(StationOffline("the station has hung up"))
