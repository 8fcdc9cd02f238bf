"""Proofs and clocks over real sockets, in both versions: what a station is sent, what is believed of its answers."""

import asyncio
from datetime import timedelta

import pytest
from charger import TIMEOUT_S, plugged
from sqlalchemy import select, update

from app.bus.subjects import station_orders
from app.ocpp_central.moments import stamp
from app.operations import obedience
from app.scheduling.lateness import APPLY_DELAY
from app.store.station import EvseRow, StationRow
from app.store.watches import EvseWatchRow

pytestmark = pytest.mark.database

DIALECTS = [("cp16", "ocpp1.6"), ("cp201", "ocpp2.0.1")]


def schedule(limit_a):
    """A composite schedule as either version spells it."""
    periods = [{"startPeriod": 0, "limit": limit_a}]
    old = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    new = old | {"evseId": 1, "duration": 1200, "scheduleStart": "2026-04-01T07:00:00Z"}
    return {"status": "Accepted", "chargingSchedule": old, "schedule": new}


def boot(identity, firmware="1.0"):
    if identity == "cp16":
        return {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": firmware}
    made = {"vendorName": "V", "model": "M", "firmwareVersion": firmware}
    return {"reason": "PowerUp", "chargingStation": made}


class Books:
    """What the database says of one station."""

    def __init__(self, transactions):
        self.transactions = transactions

    async def evses(self, station_id):
        async with self.transactions() as tx:
            query = select(EvseRow).where(EvseRow.station_id == station_id).order_by(EvseRow.evse_number)
            return (await tx.session.scalars(query)).all()

    async def slack(self, station_id):
        async with self.transactions() as tx:
            return (await tx.session.get_one(StationRow, station_id)).lease_slack

    async def until(self, holds):
        """Wait until the condition, an async function, holds."""
        async with asyncio.timeout(TIMEOUT_S):
            while not await holds():  # noqa: ASYNC110 - rows signal nothing
                await asyncio.sleep(0.01)

    async def until_proven(self, station_id):
        async def proven():
            return all(row.default_verified_at for row in await self.evses(station_id))

        await self.until(proven)


@pytest.fixture
def books(transactions, park):
    return Books(transactions)


def count(charger, action):
    return sum(each == action for each, _ in charger.calls)


@pytest.mark.parametrize(("identity", "dialect"), DIALECTS)
async def test_a_boot_is_read_first_and_a_forgotten_default_installed_again_r8(start, books, identity, dialect):
    async with start() as central, plugged(central.port, identity, dialect) as charger:
        charger.answers["GetCompositeSchedule"] = schedule(6.0)
        await charger.call("BootNotification", boot(identity))
        await books.until_proven(identity)
        assert count(charger, "SetChargingProfile") == 2
        await charger.call("BootNotification", boot(identity))
        await charger.heard("GetCompositeSchedule", 4)
        await books.until_proven(identity)
        assert count(charger, "SetChargingProfile") == 2
        forgotten = iter([schedule(32.0), schedule(6.0)] * 2)
        charger.answers["GetCompositeSchedule"] = lambda _payload: next(forgotten)
        await charger.call("BootNotification", boot(identity))
        await charger.heard("SetChargingProfile", 4)
        await books.until_proven(identity)


@pytest.mark.parametrize(("identity", "dialect"), DIALECTS)
async def test_a_new_firmware_is_installed_and_read_like_a_new_station_r8(start, books, identity, dialect):
    async with start() as central, plugged(central.port, identity, dialect) as charger:
        charger.answers["GetCompositeSchedule"] = schedule(6.0)
        await charger.call("BootNotification", boot(identity))
        await books.until_proven(identity)
        before = [row.verified_as for row in await books.evses(identity)]
        await charger.call("BootNotification", boot(identity, "2.0"))
        await charger.heard("SetChargingProfile", 4)
        await books.until_proven(identity)
        assert not set(before) & {row.verified_as for row in await books.evses(identity)}


@pytest.mark.parametrize(("identity", "dialect"), DIALECTS)
async def test_a_reconnect_and_a_restart_of_ours_keep_the_proof_r8(start, books, identity, dialect):
    async with start() as central:
        async with plugged(central.port, identity, dialect) as charger:
            charger.answers["GetCompositeSchedule"] = schedule(6.0)
            await charger.call("BootNotification", boot(identity))
            await books.until_proven(identity)
        before = await books.evses(identity)
    async with start() as central, plugged(central.port, identity, dialect) as charger:
        await charger.call("Heartbeat", {})
        await asyncio.sleep(0.1)
        assert (count(charger, "SetChargingProfile"), count(charger, "GetCompositeSchedule")) == (0, 0)
        assert [row.verified_as for row in await books.evses(identity)] == [row.verified_as for row in before]
        assert all(row.default_verified_at for row in await books.evses(identity))


@pytest.mark.parametrize(("identity", "dialect"), DIALECTS)
async def test_where_reading_back_is_refused_the_default_waits_for_metered_power_r8(start, books, identity, dialect):
    async with start() as central, plugged(central.port, identity, dialect) as charger:
        charger.answers["GetCompositeSchedule"] = {"status": "Rejected"}
        await charger.call("BootNotification", boot(identity))

        async def installed():
            return all(row.installed_at for row in await books.evses(identity))

        await books.until(installed)
        assert not any(row.default_verified_at for row in await books.evses(identity))
        assert {row.unproven_for for row in await books.evses(identity)} == {"it could not be read back: Rejected"}


async def test_a_distrusted_evse_is_not_believed_whatever_it_reads_back(start, books, transactions):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(distrusted_at=tx.now, distrusted_for="it drew too much"))
    async with start() as central, plugged(central.port, "cp16", "ocpp1.6") as charger:
        charger.answers["GetCompositeSchedule"] = schedule(6.0)
        await charger.call("BootNotification", boot("cp16"))
        await charger.heard("GetCompositeSchedule", 2)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(firmware="1.0", vendor="V", model="M"))
        await tx.session.execute(update(EvseRow).values(distrusted_at=tx.now, distrusted_for="it drew too much"))
    async with start() as central, plugged(central.port, "cp16", "ocpp1.6") as charger:
        charger.answers["GetCompositeSchedule"] = schedule(6.0)
        await charger.call("BootNotification", boot("cp16"))
        await books.until_proven("cp16")
        assert all(row.distrusted_at for row in await books.evses("cp16"))
        async with transactions() as tx:
            await obedience.trust(tx, "cp16", None)
        await books.until_proven("cp16")
        assert not any(row.distrusted_at for row in await books.evses("cp16"))


def status(identity, at):
    if identity == "cp16":
        return {"connectorId": 1, "status": "Available", "errorCode": "NoError", "timestamp": stamp(at)}
    return {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": stamp(at)}


@pytest.mark.parametrize(("identity", "dialect"), DIALECTS)
@pytest.mark.parametrize(
    ("behind_s", "slack"),
    [(2, APPLY_DELAY + timedelta(seconds=5)), (100, APPLY_DELAY + timedelta(seconds=100)), (-60, APPLY_DELAY)],
)
async def test_a_clock_that_is_behind_lengthens_the_leases_in_the_ledger_r6(
    start, books, transactions, clock, identity, dialect, behind_s, slack
):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(lease_slack=None))
    async with start() as central, plugged(central.port, identity, dialect) as charger:
        await charger.call("StatusNotification", status(identity, clock.now() - timedelta(seconds=behind_s)))

        async def known():
            return await books.slack(identity) == slack

        await books.until(known)


async def test_what_an_evse_is_to_be_asked_is_asked_by_its_own_station(start, books, transactions):
    async with start() as central, plugged(central.port, "cp16", "ocpp1.6") as charger:
        await charger.call("Heartbeat", {})
        async with transactions() as tx:
            (evse, _) = (await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == "cp16"))).all()
            tx.session.add(EvseWatchRow(evse_id=evse.evse_id, above_at=tx.now, remedy="ask"))
            tx.ring(station_orders("cp16"))
        (asked,) = await charger.heard("TriggerMessage")
        assert asked == {"requestedMessage": "MeterValues", "connectorId": 1}
