"""What a row of the hostile tables is made of, and how it is played over a real socket.

A row is a name, a version, and steps: what the station sends and what it must get for it. After the last step the
station must still be served (a heartbeat is answered, and nothing else was), unless the row expects its end. What the
row leaves behind is compared exactly: reasons in quarantine (patterns), counted repairs and refusals, sessions.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from charger import TIMEOUT_S, Charger, plugged
from rows import MORNING, add_station
from sqlalchemy import select
from websockets.frames import Opcode

from app.bus import Bus
from app.ocpp_central.server import Central
from app.operations.transaction import Transactions
from app.store.session import SessionRow
from app.store.station import QuarantineRow
from app.store.upkeep import StationEventRow

V16, V201 = "1.6", "2.0.1"
TX = "<the transaction that was answered last>"
EXACT_COUNTS = ("repair_", "refused_", "malformed_", "unsolicited_", "set_aside")


def at(**span: float) -> str:
    """Spell the suite's morning, later by a timedelta's keyword arguments."""
    return (MORNING + timedelta(**span)).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Ask:
    """A call as the standard spells it."""

    action: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Text:
    """One text message, whatever is in it."""

    text: str


@dataclass(frozen=True)
class Binary:
    """One binary message."""

    data: bytes


@dataclass(frozen=True)
class Parts:
    """One text message in fragments."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Wire:
    """Bytes behind the WebSocket library's back."""

    data: bytes


@dataclass(frozen=True)
class Result:
    """CALLRESULT with at least these members."""

    payload: dict[str, Any] = field(default_factory=dict)
    message_id: str = "a"


@dataclass(frozen=True)
class Refused:
    """CALLERROR."""

    code: str
    message_id: str = "a"


@dataclass(frozen=True)
class Silence:
    """No answer, and the connection goes on."""


@dataclass(frozen=True)
class Closed:
    """The connection is closed with this code, and without an answer before that."""

    code: int


Input = Ask | Text | Binary | Parts | Wire
Answer = Result | Refused | Silence | Closed
Step = tuple[Input, Answer]


@dataclass(frozen=True)
class Row:
    """One case of a table. `counts` or `sessions` None: not looked at; else what each session has, by its start."""

    name: str
    version: str
    steps: tuple[Step, ...]
    quarantine: tuple[str, ...] = ()
    counts: dict[str, int] | None = field(default_factory=dict)
    sessions: tuple[dict[str, Any], ...] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.version}: {self.name}"


def both(name: str, *steps: Step, **more: Any) -> tuple[Row, Row]:
    """The same row for both versions."""
    return Row(name, V16, steps, **more), Row(name, V201, steps, **more)


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it (masked with zeros), right or wrong; at most 65,535 bytes of data."""
    length = len(data) if len(data) < 126 else 126
    extended = b"" if length < 126 else len(data).to_bytes(2, "big")
    return bytes([fin << 7 | opcode, 128 | length]) + extended + bytes(4) + data


@dataclass
class House:
    """A central that serves, its database, and names for new stations."""

    central: Central
    transactions: Transactions
    bus: Bus
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def port(self) -> int:
        return self.central.port

    async def new_station(self, version: str, **changes: Any) -> str:
        """Provision an accepted station with two EVSEs."""
        station_id = f"guest{next(self.numbers)}"
        async with self.transactions() as tx:
            await add_station(tx, station_id, dialect=f"ocpp{version}", connection_id=None, evses=2, **changes)
        return station_id

    async def reasons(self, station_id: str) -> list[str]:
        """Why something of the station is in quarantine."""
        query = select(QuarantineRow.reason).where(QuarantineRow.station_id == station_id)
        async with self.transactions() as tx:
            return sorted(await tx.session.scalars(query))

    async def found(self, station_id: str, finding: str) -> None:
        """Wait until this security event, and no other, stands in the station's list; empty: there is none."""
        query = select(StationEventRow.name).where(StationEventRow.station_id == station_id)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                async with self.transactions() as tx:
                    names = list(await tx.session.scalars(query))
                if names == [finding] * bool(finding):
                    return
                assert not names, names
                await asyncio.sleep(0.01)

    async def sessions(self, station_id: str) -> list[SessionRow]:
        query = select(SessionRow).where(SessionRow.station_id == station_id)
        async with self.transactions() as tx:
            return list(await tx.session.scalars(query.order_by(SessionRow.started_at, SessionRow.start_key)))


async def play(house: House, row: Row) -> None:
    """Play a row with a station of its own and compare what comes back and what stays."""
    station_id = await house.new_station(row.version)
    before = Counter(house.central.counts)
    async with plugged(house.port, station_id, f"ocpp{row.version}", **row.options) as charger:
        player = Player(charger)
        for step, answer in row.steps:
            await player.say(step)
            await player.hear(answer)
        if charger.socket.close_code is None:
            await player.is_served()
    if row.sessions is not None:
        _compare(await house.sessions(station_id), row.sessions)
    reasons = await house.reasons(station_id)
    assert len(reasons) == len(row.quarantine), reasons
    assert all(map(fnmatchcase, reasons, sorted(row.quarantine))), reasons
    counted = (Counter(house.central.counts) - before).items()
    told = {name: count for name, count in counted if name.startswith(EXACT_COUNTS)}
    assert row.counts in (None, told), told


def _compare(found: list[SessionRow], expected: tuple[dict[str, Any], ...]) -> None:
    seen = [{key: getattr(row, key) for key in wanted} for row, wanted in zip(found, expected, strict=True)]
    assert seen == list(expected), seen


class Player:
    """One station at the table."""

    def __init__(self, charger: Charger) -> None:
        self.charger = charger
        self.transaction_id: Any = None

    async def say(self, step: Input) -> None:
        socket = self.charger.socket
        match step:
            case Ask(action, payload):
                await self.charger.send([2, "a", action, self._filled(payload)])
            case Text(text):
                await self._despite_close(socket.send(text))
            case Binary(data):
                await socket.send(data)
            case Parts(parts):
                await self._despite_close(socket.send(parts))
            case Wire(data):
                socket.transport.write(data)

    async def _despite_close(self, sending: Any) -> None:
        """A message that is refused while it is still being sent ends in the error that the answer tells."""
        with contextlib.suppress(Exception):
            await sending

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        return self.transaction_id if value == TX else value

    async def hear(self, answer: Answer) -> None:
        match answer:
            case Result(payload, message_id):
                frame = await self.charger.frame()
                assert frame[:2] == [3, message_id], frame
                assert payload.items() <= frame[2].items(), frame
                self.transaction_id = frame[2].get("transactionId", self.transaction_id)
            case Refused(code, message_id):
                frame = await self.charger.frame()
                assert frame[:3] == [4, message_id, code], frame
                assert len(frame) == 5, frame
                assert len(frame[3]) <= 255, frame
            case Silence():
                await self.is_served()
            case Closed(code):
                assert (await self.charger.closed())[0] == code
                assert self.charger.frames.empty()

    async def is_served(self) -> None:
        """A heartbeat is answered next, and with nothing before it."""
        async with asyncio.timeout(TIMEOUT_S):
            answer = await self.charger.call("Heartbeat", {})
        assert answer["currentTime"].startswith("2026-04-01T07:"), answer
