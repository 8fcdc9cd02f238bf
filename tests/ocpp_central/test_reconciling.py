import asyncio
from datetime import timedelta

import pytest
from charger import TIMEOUT_S, plugged
from rows import CARD, add_station
from sqlalchemy import select, update

from app.bus.subjects import station_orders
from app.operations import onboarding
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"
BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M"}


def composite(limit_a, unit="A"):
    schedule = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
    }
    return {"status": "Accepted", "connectorId": 1, "chargingSchedule": schedule}


async def until(condition):
    """Wait until the condition, an async function, returns something true; return it."""
    async with asyncio.timeout(TIMEOUT_S):
        while not (found := await condition()):  # noqa: ASYNC110 - rows signal nothing
            await asyncio.sleep(0.01)
        return found


@pytest.fixture
def proven(transactions):
    async def numbers() -> list[int]:
        async with transactions() as tx:
            query = select(EvseRow.evse_number).where(
                EvseRow.station_id == "cp16", EvseRow.default_verified_at.is_not(None)
            )
            return sorted(await tx.session.scalars(query))

    return numbers


@pytest.fixture
async def unproven(transactions, park):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=None))


async def test_defaults_are_installed_and_read_back_before_they_count_r8(start, unproven, proven):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["GetCompositeSchedule"] = composite(6.0)
        await until(lambda: both(proven))
        sent = [payload["csChargingProfiles"] for payload in await charger.heard("SetChargingProfile", 2)]
        assert [each["chargingProfilePurpose"] for each in sent] == ["TxDefaultProfile"] * 2
        assert [each["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for each in sent] == [6.0, 6.0]
        asked = await charger.heard("GetCompositeSchedule", 2)
        assert [each["connectorId"] for each in asked] == [1, 2]
        assert all(each["duration"] > 600 for each in asked)


async def both(proven):
    return await proven() == [1, 2]


async def test_a_boot_makes_the_defaults_be_proven_again_r8(start, park, proven):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["GetCompositeSchedule"] = composite(6.0)
        await charger.heard("ChangeConfiguration", 2)
        assert await proven() == [1, 2]
        await charger.call("BootNotification", BOOT_16)
        await charger.heard("GetCompositeSchedule", 2)
        await until(lambda: both(proven))


async def test_a_default_that_reads_back_higher_stays_unproven_and_is_tried_again_later(start, unproven, proven, clock):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["GetCompositeSchedule"] = composite(16.0)
        await charger.heard("GetCompositeSchedule", 2)
        await asyncio.sleep(0.1)
        assert await proven() == []
        charger.answers["GetCompositeSchedule"] = composite(1200, "W")
        clock.advance(minutes=1)
        await until(lambda: both(proven))


@pytest.mark.parametrize("how", ["refused", "fault", "unreadable"])
async def test_a_default_that_cannot_be_installed_or_read_stays_unproven(start, unproven, proven, how, clock):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        if how == "refused":
            charger.answers["SetChargingProfile"] = {"status": "NotSupported"}
        elif how == "fault":
            charger.errors["SetChargingProfile"] = "InternalError"
        else:
            charger.answers["GetCompositeSchedule"] = {"status": "Accepted"}
        await charger.heard("SetChargingProfile", 2)
        await asyncio.sleep(0.1)
        assert await proven() == []
        clock.advance(minutes=1)
        await charger.heard("SetChargingProfile", 4)


@pytest.fixture
def order(transactions, bus, clock):
    """Write one order for the running session (which the charger starts, if given), ring, return its number."""

    async def written(charger=None, power_w: float = 3200.0) -> int:
        if charger is not None:
            start_tx = {"connectorId": 1, "idTag": CARD, "meterStart": 0, "timestamp": clock.now().isoformat()}
            await charger.call("StartTransaction", start_tx)
        async with transactions() as tx:
            row = (await tx.session.scalars(select(SessionRow))).one()
            limit = LimitRow(
                evse_id=row.evse_id,
                session_id=row.session_id,
                power_w=power_w,
                reason="test",
                intended_at=tx.now,
                ends_at=tx.now + timedelta(minutes=10),
                is_closed=False,
            )
            tx.session.add(limit)
            await tx.session.flush()
            tx.ring(station_orders("cp16"))
        return limit.order_no

    return written


@pytest.fixture
def outcome(transactions):
    async def of(order_no: int) -> str | None:
        async with transactions() as tx:
            return (await tx.session.get_one(LimitRow, order_no)).outcome

    return of


@pytest.mark.parametrize(
    ("answer", "expected"), [({"status": "Accepted"}, "accepted"), ({"status": "Rejected"}, "refused")]
)
async def test_an_order_is_sent_as_a_lease_and_its_outcome_is_recorded_r6(
    start, park, order, outcome, answer, expected
):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["SetChargingProfile"] = answer
        number = await order(charger)
        (payload,) = await charger.heard("SetChargingProfile")
        wire = payload["csChargingProfiles"]
        periods = wire["chargingSchedule"]["chargingSchedulePeriod"]
        assert (payload["connectorId"], wire["chargingProfilePurpose"]) == (1, "TxProfile")
        assert [period["limit"] for period in periods] == [16.0, 6.0]
        assert "duration" not in wire["chargingSchedule"]
        assert await until(lambda: outcome(number)) == expected


async def test_an_error_answer_frees_nothing_r5(start, park, order, outcome):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.errors["SetChargingProfile"] = "InternalError"
        assert await until(lambda o=outcome, n=await order(charger): o(n)) == "unknown"


async def test_a_late_answer_still_reaches_the_ledger_r5(start, park, order, outcome):
    async with start(call_timeout_s=0.3) as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["SetChargingProfile"] = None
        number = await order(charger)
        assert await until(lambda: outcome(number)) == "unknown"
        message_id = next(each for each, action in charger.unanswered if action == "SetChargingProfile")
        await charger.send([3, message_id, {"status": "Accepted"}])

        async def accepted():
            return await outcome(number) == "accepted"

        await until(accepted)
        assert central.counts["late_answer"] == 1


async def test_an_order_that_was_in_flight_at_the_hang_up_is_unknown_r5(start, park, order, outcome):
    async with start() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            charger.answers["SetChargingProfile"] = None
            number = await order(charger)
            await charger.heard("SetChargingProfile")
            charger.socket.transport.abort()
        assert await until(lambda: outcome(number)) == "unknown"


async def test_an_order_written_while_the_station_was_away_is_sent_when_it_is_back(start, park, order, outcome):
    async with start() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            first = await order(charger)
            assert await until(lambda: outcome(first)) == "accepted"
        second = await order(power_w=2400.0)
        async with plugged(central.port, "cp16", V16) as charger:
            (payload,) = await charger.heard("SetChargingProfile")
            assert payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 12.0
            assert await until(lambda: outcome(second)) == "accepted"


async def test_orders_for_an_unproven_station_wait_for_its_boot(start, park, transactions, unproven):
    async with transactions() as tx:
        await add_station(tx, "fresh", dialect=V201, connection_id=None, needs_boot=True)
    async with start(boot_wait_s=60) as central, plugged(central.port, "fresh", V201) as charger:
        await charger.call("Heartbeat", {})
        await asyncio.sleep(0.1)
        assert charger.calls == []


async def test_a_bug_in_reconciling_costs_no_message_its_answer(start, park, transactions, bus, order, outcome):
    async def set_up():
        async with transactions() as tx:
            return (await onboarding.get(tx, "cp16")).ended_at

    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await until(set_up)
        await charger.call("Heartbeat", {})
        transactions.broken_count = 1
        bus.ring(station_orders("cp16"))

        async def failed():
            return central.counts["reconcile_failed"] == 1

        await until(failed)
        number = await order(charger)
        assert await until(lambda: outcome(number)) == "accepted"
