"""A station of the benchmark: connects, answers what a central asks for, and makes one call at a time."""

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from benchmarks.ocpp_parts.wire import Refused, Wire, handshake

OPEN_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
OLD = "ocpp1.6"
CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4


@dataclass(frozen=True)
class Policy:
    """How a station comes back: a first pause of up to `jitter_s`, then 1, 2, 4 … 30 s after every failure.

    With jitter each of these pauses is stretched by up to half of it at random; without, all stations do the same.
    """

    jitter_s: float = 0.0

    def first_pause_s(self) -> float:
        """Return the pause before the first attempt."""
        return random.uniform(0, self.jitter_s)

    def pause_s(self, failed_count: int) -> float:
        """Return the pause after so many failures in a row."""
        pause_s = min(FIRST_PAUSE_S * 2 ** (failed_count - 1), LONGEST_PAUSE_S)
        return pause_s * random.uniform(1.0, 1.5) if self.jitter_s else pause_s


class Charger:
    """See the module. `lost` is set while there is no connection."""

    def __init__(self, identity: str, dialect: str, key: str, port: int) -> None:
        self.identity = identity
        self.is_old = dialect == OLD
        self.trouble: Counter[str] = Counter()
        self.lost = asyncio.Event()
        self.lost.set()
        self._request = handshake(identity, dialect, key)
        self._port = port
        self._wire: Wire | None = None
        self._numbers = itertools.count(1)
        self._answer: tuple[str, asyncio.Future[Any]] | None = None
        self._limit: tuple[str, float] = ("A", 6.0)

    async def connect(self, policy: Policy) -> None:
        """Connect, again and again."""
        await asyncio.sleep(policy.first_pause_s())
        for failed_count in itertools.count(1):
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await self._open()
            except Refused as refused:
                self.trouble[f"answered {refused}"] += 1
            except TimeoutError:
                self.trouble["timed out"] += 1
            except OSError as broken:
                self.trouble[type(broken).__name__] += 1
            else:
                return
            await asyncio.sleep(policy.pause_s(failed_count))

    async def _open(self) -> None:
        wire = Wire(self._request, self._take, self._lose)
        try:
            await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", self._port)
            await wire.opened
        except BaseException:
            wire.drop()
            if wire.opened.done() and not wire.opened.cancelled():
                wire.opened.exception()
            raise
        self.lost.clear()
        self._wire = wire

    def _lose(self) -> None:
        self.lost.set()
        if self._answer is not None and not self._answer[1].done():
            self._answer[1].set_exception(ConnectionResetError())

    def drop(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.drop()

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        """Return the answer; raises ConnectionResetError, TimeoutError, RuntimeError (an error was answered)."""
        message_id = str(next(self._numbers))
        return await self.ask(message_id, orjson.dumps([CALL, message_id, action, payload]))

    async def ask(self, message_id: str, frame: bytes) -> Any:
        """Send a call that is spelled already; as `call`."""
        if self._wire is None or self.lost.is_set():
            raise ConnectionResetError
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answer = message_id, answer
        self._wire.send(frame)
        alarm = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT_S, _give_up, answer)
        try:
            return await answer
        finally:
            alarm.cancel()

    def _take(self, text: bytes) -> None:
        kind, message_id, *rest = orjson.loads(text)
        if kind == CALL:
            self._reply(message_id, rest[0], rest[1])
        elif self._answer is not None and self._answer[0] == message_id and not self._answer[1].done():
            if kind == CALL_RESULT:
                self._answer[1].set_result(rest[0])
            else:
                self._answer[1].set_exception(RuntimeError(str(rest[:2])))

    def _reply(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        answer = self._answer_to(action, payload)
        frame: list[Any] = [CALL_RESULT, message_id, answer]
        if answer is None:
            frame = [CALL_ERROR, message_id, "NotSupported", "", {}]
        if self._wire is not None:
            self._wire.send(orjson.dumps(frame))

    def _answer_to(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        match action:
            case "ChangeConfiguration" | "TriggerMessage":
                return {"status": "Accepted"}
            case "SetVariables":
                return {"setVariableResult": [_set(each) for each in payload["setVariableData"]]}
            case "SetChargingProfile":
                self._keep(payload)
                return {"status": "Accepted"}
            case "GetCompositeSchedule":
                return self._composite(payload)
            case _:
                return None

    def _keep(self, payload: dict[str, Any]) -> None:
        profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
        schedule = profile["chargingSchedule"] if self.is_old else profile["chargingSchedule"][0]
        if profile["chargingProfilePurpose"] == "TxDefaultProfile":
            self._limit = schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"][-1]["limit"]

    def _composite(self, payload: dict[str, Any]) -> dict[str, Any]:
        unit, limit = self._limit
        schedule = {
            "duration": payload["duration"],
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        }
        if self.is_old:
            return {"status": "Accepted", "connectorId": payload["connectorId"], "chargingSchedule": schedule}
        return {"status": "Accepted", "schedule": schedule | {"evseId": payload["evseId"], "scheduleStart": stamp()}}


def _set(each: dict[str, Any]) -> dict[str, Any]:
    return {"attributeStatus": "Accepted", "component": each["component"], "variable": each["variable"]}


def _give_up(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def stamp() -> str:
    """Return the time of day as stations write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
