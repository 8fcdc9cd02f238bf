"""Well-behaved stations of both versions beside the hostile ones: a session runs, and every answer must be right."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from cases import V16, V201, House, at
from charger import TIMEOUT_S, Charger, plugged
from rows import CARD

PAUSE_S = 0.03
REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"


class Neighbour:
    """One station that heartbeats and meters a running session until it is told to finish."""

    version = ""

    def __init__(self, station_id: str, charger: Charger) -> None:
        self.station_id = station_id
        self.charger = charger
        self.register_wh = 1000
        self.round_count = 0
        self.is_leaving = asyncio.Event()

    async def arrive(self) -> None:
        raise NotImplementedError

    async def meter(self) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """Meter and heartbeat; one round more once `is_leaving` is set. Any wrong answer raises."""
        is_last = False
        while not is_last:
            is_last = self.is_leaving.is_set()
            self.register_wh += 1
            await self.meter()
            beat = await self.charger.call("Heartbeat", {})
            assert beat["currentTime"].startswith("2026-04-01T07:"), beat
            self.round_count += 1
            await asyncio.sleep(PAUSE_S)

    def now(self) -> str:
        return at(milliseconds=self.round_count)


class Neighbour16(Neighbour):
    """Speaks OCPP 1.6."""

    version = V16
    number = 0

    async def arrive(self) -> None:
        boot = {"chargePointVendor": "Good", "chargePointModel": "Sixteen"}
        assert (await self.charger.call("BootNotification", boot))["status"] == "Accepted"
        start = {"connectorId": 1, "idTag": CARD, "meterStart": self.register_wh, "timestamp": self.now()}
        answer = await self.charger.call("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted"
        self.number = answer["transactionId"]

    async def meter(self) -> None:
        sampled = [{"value": str(self.register_wh), "measurand": REGISTER, "unit": "Wh"}]
        value = {"timestamp": self.now(), "sampledValue": sampled}
        payload = {"connectorId": 1, "transactionId": self.number, "meterValue": [value]}
        assert await self.charger.call("MeterValues", payload) == {}

    async def leave(self) -> None:
        stop = {"transactionId": self.number, "meterStop": self.register_wh, "timestamp": self.now(), "idTag": CARD}
        assert await self.charger.call("StopTransaction", stop) == {"idTagInfo": {"status": "Accepted"}}


class Neighbour201(Neighbour):
    """Speaks OCPP 2.0.1."""

    version = V201
    seq_no = 0

    async def event(self, kind: str, trigger: str, **more: Any) -> dict:
        payload = {
            "eventType": kind,
            "timestamp": self.now(),
            "triggerReason": trigger,
            "seqNo": self.seq_no,
            "transactionInfo": {"transactionId": "good-tx", "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": self.now(), "sampledValue": [{"value": self.register_wh}]}],
        }
        self.seq_no += 1
        return await self.charger.call("TransactionEvent", payload | more)

    async def arrive(self) -> None:
        boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "Good", "model": "TwoOhOne"}}
        assert (await self.charger.call("BootNotification", boot))["status"] == "Accepted"
        token = {"idToken": CARD, "type": "ISO14443"}
        assert (await self.event("Started", "Authorized", idToken=token))["idTokenInfo"]["status"] == "Accepted"

    async def meter(self) -> None:
        assert await self.event("Updated", "MeterValuePeriodic") == {}

    async def leave(self) -> None:
        assert await self.event("Ended", "EVDeparted") == {}


class Neighbours:
    """Both of them: `unharmed` after every case, `settle` at the end of a group."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stack = AsyncExitStack()
        self._pairs: list[tuple[Neighbour, asyncio.Task[None]]] = []

    async def move_in(self) -> None:
        for kind in (Neighbour16, Neighbour201):
            station_id = await self._house.new_station(kind.version)
            charger = await self._stack.enter_async_context(
                plugged(self._house.port, station_id, f"ocpp{kind.version}")
            )
            neighbour = kind(station_id, charger)
            await neighbour.arrive()
            self._pairs.append((neighbour, asyncio.create_task(neighbour.run())))

    def unharmed(self) -> None:
        """Nobody was disconnected or got a wrong answer so far."""
        for neighbour, task in self._pairs:
            assert not task.done(), f"{neighbour.version}: {task.exception()!r}"
            assert neighbour.charger.socket.close_code is None, f"{neighbour.version}: the neighbour was disconnected"

    async def settle(self) -> None:
        """Let each go on for a round more, end its session, and find all of its energy in the database."""
        self.unharmed()
        for neighbour, task in self._pairs:
            neighbour.is_leaving.set()
            await asyncio.wait_for(task, TIMEOUT_S)
            await neighbour.leave()
            (row,) = await self._house.sessions(neighbour.station_id)
            assert row.ended_at is not None
            assert row.delivered_wh == neighbour.register_wh - 1000
            assert await self._house.reasons(neighbour.station_id) == []

    async def move_out(self) -> None:
        for _, task in self._pairs:
            task.cancel()
        await asyncio.gather(*(task for _, task in self._pairs), return_exceptions=True)
        await self._stack.aclose()
