from datetime import timedelta

import pytest
from rows import CARD, MORNING, add_booking, add_driver, add_site, add_station
from sqlalchemy import delete, select

from app.domain.facts import (
    Metered,
    Occupancy,
    Sample,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StatusReported,
)
from app.operations import housekeeping, stays
from app.operations.station_facts import record_facts
from app.store.stays import PastStayRow

pytestmark = pytest.mark.database


def at(minutes):
    return MORNING + timedelta(minutes=minutes)


def started(minutes=0, ref="tx-1", token=CARD, **changes):
    return SessionStarted(1, at(minutes), at(minutes), ref, token, 1_000.0, f"start {ref}", **changes)


def ended(minutes, ref="tx-1", meter_stop_wh=None, **changes):
    return SessionEnded(1, at(minutes), at(minutes), ref, meter_stop_wh, f"end {ref}", **changes)


def metered(minutes, register_wh, ref="tx-1"):
    samples = (Sample("Energy.Active.Import.Register", register_wh, "Wh"),)
    return Metered(1, at(minutes), at(minutes), ref, register_wh, None, samples)


def status(minutes, occupancy):
    return StatusReported(1, at(minutes), at(minutes), occupancy, None, None)


@pytest.fixture
async def driver_id(transactions):
    async with transactions() as tx:
        await add_site(tx)
        (evse_id,) = await add_station(tx)
        driver_id = await add_driver(tx)
        await add_booking(tx, driver_id, evse_id, at(0), at(300))
    return driver_id


@pytest.fixture
def tell(transactions, driver_id):
    async def tell(*facts):
        """Record facts; return all stays, oldest first, and what rings."""
        async with transactions() as tx:
            await record_facts(tx, "cp1", facts)
            found = list(await tx.session.scalars(select(PastStayRow).order_by(PastStayRow.arrived_at)))
            return found, {ring for ring in tx.rings if ring.endswith(".stays")}

    return tell


async def test_a_session_that_ends_is_a_stay_with_what_its_booking_said(tell, driver_id):
    assert await tell(started()) == ([], set())
    (stay,), rings = await tell(ended(240, meter_stop_wh=8_500.0))
    assert (stay.driver_id, stay.site_id) == (driver_id, "north")
    assert (stay.arrived_at, stay.left_at, stay.declared_at) == (at(0), at(240), at(300))
    assert (stay.asked_wh, stay.taken_wh) == (9_000.0, 7_500.0)
    assert rings == {"site.north.stays"}


async def test_nobody_said_anything_where_the_site_s_default_counts(tell):
    (stay,), _ = await tell(started(token=None), ended(60))
    assert (stay.driver_id, stay.declared_at, stay.asked_wh) == (None, None, None)


async def test_a_car_that_stays_plugged_in_leaves_when_the_evse_is_free_and_a_later_value_does_not_undo_it(tell):
    await tell(status(-1, Occupancy.OCCUPIED), started(), ended(60))
    (stay,), _ = await tell(status(95, Occupancy.FREE))
    assert stay.left_at == at(95)
    (stay,), rings = await tell(metered(50, 4_000.0))
    assert (stay.left_at, stay.taken_wh, rings) == (at(95), 3_000.0, {"site.north.stays"})


async def test_an_evse_that_is_free_a_day_later_tells_nothing_of_the_leaving(tell):
    await tell(status(-1, Occupancy.OCCUPIED), started(), ended(60))
    (stay,), _ = await tell(status(60 + 24 * 60, Occupancy.FREE))
    assert stay.left_at == at(60)


async def test_a_session_that_was_superseded_is_over_and_its_late_end_is_believed_instead(tell):
    await tell(started())
    (stay,), _ = await tell(started(200, "tx-2"))
    assert stay.left_at == at(200)
    (stay,), _ = await tell(ended(120, offline=True))
    assert (stay.arrived_at, stay.left_at) == (at(0), at(120))


async def test_a_stay_whose_start_comes_last_began_then(tell):
    await tell(SessionUpdated(1, at(5), at(5), "tx-1", "update"), ended(60))
    (stay,), _ = await tell(started(0))
    assert (stay.arrived_at, stay.left_at) == (at(0), at(60))


async def test_stays_from_before_are_taken_in_and_old_ones_are_deleted(tell, transactions, clock):
    await tell(started(), ended(60), started(100, "tx-2"), ended(160, "tx-2"), started(200, "tx-3"))
    async with transactions() as tx:
        await tx.session.execute(delete(PastStayRow))
        assert await stays.take_in_missing(tx, "north")
        assert not await stays.take_in_missing(tx, "north")
        assert len((await tx.session.scalars(select(PastStayRow))).all()) == 2
    clock.at = at(120) + stays.KEEP
    async with transactions() as tx:
        assert (await housekeeping.prune(tx, timedelta(days=1_000)))["past_stays"] == 1
        assert not await stays.take_in_missing(tx, "north"), "what is deleted is not taken in again"
