"""One story told by a 1.6 and by a 2.0.1 station leaves the same state after every step."""

from collections.abc import Callable

import pytest
from charger import Charger, plugged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows import CARD
from sqlalchemy import select

from app.store.session import MeterValueRow, SessionRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"


class Teller:
    """A station with a car that may come and go at EVSE 1; what it says last can be said again."""

    identity = ""
    subprotocol = ""

    def __init__(self, now: Callable[[], str]) -> None:
        self.now = now
        self.charger: Charger | None = None
        self.register_wh = 1000
        self.has_car = False
        self.number = 0
        self.last: tuple[str, dict] | None = None

    async def say(self, action: str, payload: dict) -> dict:
        self.last = (action, payload)
        return await self.charger.call(action, payload)

    async def repeat(self) -> None:
        if self.last is not None:
            await self.charger.call(*self.last)


class Teller16(Teller):
    identity, subprotocol = "cp16", "ocpp1.6"

    async def status(self, name: str) -> None:
        error = "OtherError" if name == "Faulted" else "NoError"
        payload = {"connectorId": 1, "errorCode": error, "status": name, "timestamp": self.now()}
        await self.say("StatusNotification", payload)

    async def boot(self) -> None:
        await self.say("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})

    async def arrive(self) -> None:
        await self.status("Preparing")
        await self.say("Authorize", {"idTag": CARD})
        payload = {"connectorId": 1, "idTag": CARD, "meterStart": self.register_wh, "timestamp": self.now()}
        self.number = (await self.say("StartTransaction", payload))["transactionId"]

    async def activity(self, name: str) -> None:
        await self.status(name)

    async def meter(self, power_w: int) -> None:
        sampled = [
            {"value": str(self.register_wh), "measurand": REGISTER, "unit": "Wh", "context": "Sample.Periodic"},
            {"value": str(power_w / 1000), "measurand": POWER, "unit": "kW", "context": "Sample.Periodic"},
        ]
        value = {"timestamp": self.now(), "sampledValue": sampled}
        await self.say("MeterValues", {"connectorId": 1, "transactionId": self.number, "meterValue": [value]})

    async def leave(self) -> None:
        payload = {"transactionId": self.number, "meterStop": self.register_wh, "timestamp": self.now()}
        await self.say("StopTransaction", payload | {"reason": "EVDisconnected", "idTag": CARD})
        await self.status("Finishing")
        await self.status("Available")


class Teller201(Teller):
    identity, subprotocol = "cp201", "ocpp2.0.1"

    def __init__(self, now: Callable[[], str]) -> None:
        super().__init__(now)
        self.seq_no = 0

    async def status(self, name: str) -> None:
        payload = {"timestamp": self.now(), "connectorStatus": name, "evseId": 1, "connectorId": 1}
        await self.say("StatusNotification", payload)

    async def event(self, kind: str, trigger: str, info: dict, **more) -> None:
        payload = {
            "eventType": kind,
            "timestamp": self.now(),
            "triggerReason": trigger,
            "seqNo": self.seq_no,
            "transactionInfo": {"transactionId": f"tx-{self.number}", **info},
            "evse": {"id": 1, "connectorId": 1},
        }
        self.seq_no += 1
        await self.say("TransactionEvent", payload | more)

    def values(self, context: str, power_w: int | None = None) -> list[dict]:
        sampled = [{"value": self.register_wh, "measurand": REGISTER, "context": context}]
        if power_w is not None:
            unit = {"unit": "W", "multiplier": 0}
            sampled.append({"value": power_w, "measurand": POWER, "context": context, "unitOfMeasure": unit})
        return [{"timestamp": self.now(), "sampledValue": sampled}]

    async def boot(self) -> None:
        station = {"vendorName": "V", "model": "M"}
        await self.say("BootNotification", {"reason": "PowerUp", "chargingStation": station})

    async def arrive(self) -> None:
        self.number += 1
        self.seq_no = 0
        token = {"idToken": CARD, "type": "ISO14443"}
        await self.status("Occupied")
        await self.say("Authorize", {"idToken": token})
        info = {"chargingState": "EVConnected"}
        await self.event("Started", "Authorized", info, idToken=token, meterValue=self.values("Transaction.Begin"))

    async def activity(self, name: str) -> None:
        await self.event("Updated", "ChargingStateChanged", {"chargingState": name})

    async def meter(self, power_w: int) -> None:
        await self.event("Updated", "MeterValuePeriodic", {}, meterValue=self.values("Sample.Periodic", power_w))

    async def leave(self) -> None:
        info = {"stoppedReason": "EVDisconnected", "chargingState": "EVConnected"}
        await self.event("Ended", "EVDeparted", info, meterValue=self.values("Transaction.End"))
        await self.status("Available")


STEPS = st.sampled_from(
    ["boot", "arrive", "Charging", "SuspendedEV", "SuspendedEVSE", "meter", "repeat", "leave", "Faulted", "reconnect"]
)


async def take(step: str, teller: Teller) -> None:
    """Take a step if it can happen now."""
    match step:
        case "arrive" if not teller.has_car:
            teller.has_car = True
            await teller.arrive()
        case "leave" if teller.has_car:
            teller.has_car = False
            await teller.leave()
        case "meter" if teller.has_car:
            teller.register_wh += 50
            await teller.meter(3000)
        case "Charging" | "SuspendedEV" | "SuspendedEVSE" if teller.has_car:
            await teller.activity(step)
        case "Faulted" if not teller.has_car:
            await teller.status("Faulted")
        case "boot" if not teller.has_car:
            await teller.boot()
        case "repeat":
            await teller.repeat()


SESSION = ("token", "started_at", "ended_at", "end_reason", "meter_start_wh", "meter_last_wh", "delivered_wh")
EVSE = ("occupancy", "activity", "status_at", "power_w", "metered_at")
VALUE = ("at", "measurand", "value", "unit")


async def state(transactions, station_id: str) -> dict[str, list]:
    def plain(row, names):
        return tuple(getattr(row, name) for name in names)

    async with transactions() as tx:
        evses = await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == station_id))
        sessions = await tx.session.scalars(select(SessionRow).where(SessionRow.station_id == station_id))
        values = await tx.session.scalars(
            select(MeterValueRow).where(
                MeterValueRow.station_id == station_id, MeterValueRow.context == "Sample.Periodic"
            )
        )
        return {
            "evses": sorted((row.evse_number, *plain(row, EVSE)) for row in evses if row.evse_number == 1),
            "sessions": sorted((plain(row, SESSION) for row in sessions), key=repr),
            "values": sorted(plain(row, VALUE) for row in values),
        }


async def tell(start, transactions, clock, steps: list[str]) -> None:
    tellers = [Teller16(lambda: clock.now().isoformat()), Teller201(lambda: clock.now().isoformat())]
    for teller in tellers:
        teller.number = int(clock.now().timestamp())
    async with start() as central:
        remaining = list(steps)
        while remaining:
            async with (
                plugged(central.port, "cp16", "ocpp1.6") as old,
                plugged(central.port, "cp201", "ocpp2.0.1") as new,
            ):
                tellers[0].charger, tellers[1].charger = old, new
                while remaining and (step := remaining.pop(0)) != "reconnect":
                    clock.advance(minutes=1)
                    for teller in tellers:
                        await take(step, teller)
                    assert await state(transactions, "cp16") == await state(transactions, "cp201"), step
            clock.advance(minutes=1)


@given(steps=st.lists(STEPS, min_size=5, max_size=11).map(lambda steps: ["arrive", *steps, "leave"]))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_both_dialects_leave_the_same_state_after_every_step(start, park, transactions, clock, steps):
    await tell(start, transactions, clock, steps)


async def test_a_day_at_the_charger_in_both_dialects(start, park, transactions, clock):
    await tell(
        start,
        transactions,
        clock,
        [
            "boot",
            "arrive",
            "Charging",
            "meter",
            "meter",
            "repeat",
            "reconnect",
            "SuspendedEV",
            "meter",
            "leave",
            "repeat",
        ],
    )
    for station_id in ("cp16", "cp201"):
        (session,) = (await state(transactions, station_id))["sessions"]
        told = dict(zip(SESSION, session, strict=True))
        assert (told["token"], told["delivered_wh"], told["end_reason"]) == (CARD, 150.0, "EVDisconnected")
        assert told["ended_at"] > told["started_at"]
