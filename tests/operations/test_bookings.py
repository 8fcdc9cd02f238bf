import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from rows import MORNING, add_booking, add_car, add_driver, add_site, add_station
from sqlalchemy import func, select, text, update

from app.bus.subjects import site_changed
from app.domain.booking import EnergyWish
from app.domain.errors import BookingRefused, Conflict, Invalid, NotFound
from app.domain.pages import PageAsked
from app.operations import bookings
from app.operations.bookings import BookingChange, NewBooking
from app.store.driver import BookingRow, DriverRow
from app.store.session import SessionRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database


def at(hour):
    return MORNING + timedelta(hours=hour)


def wanted(driver_id, from_hour=1, to_hour=3, need_wh=2_000.0, site_id="north", **more):
    return NewBooking(driver_id, site_id, at(from_hour), at(to_hour), EnergyWish(need_wh=need_wh), **more)


@pytest.fixture
async def evse_ids(transactions):
    async with transactions() as tx:
        await add_site(tx)
        return await add_station(tx, "cp1", evses=3)


@pytest.fixture
def new_driver(transactions):
    async def new_driver():
        async with transactions() as tx:
            return await add_driver(tx, token=None)

    return new_driver


@pytest.fixture
def book(transactions):
    async def book(*args, **more):
        async with transactions() as tx:
            return await bookings.book(tx, wanted(*args, **more))

    return book


@pytest.fixture
def change(transactions):
    async def change(booking, owner_id=None, **what):
        async with transactions() as tx:
            return await bookings.change(tx, booking.booking_id, BookingChange(**what), owner_id)

    return change


async def evse_of(transactions, booking_id):
    async with transactions() as tx:
        return (await bookings.get(tx, booking_id)).evse_id


async def plug_in(tx, evse_id, driver_id, booking_id=None, **changes):
    """A running session as the station's facts would have made it."""
    values = {"departs_at": at(8), "need_wh": 12_000.0, "intent_source": "assumed", "started_at": tx.now}
    row = SessionRow(
        session_id=uuid4(),
        site_id="north",
        station_id="cp1",
        evse_id=evse_id,
        station_ref=str(uuid4())[:36],
        start_key=str(uuid4()),
        driver_id=driver_id,
        booking_id=booking_id,
        delivered_wh=0.0,
        **(values | changes),
    )
    tx.session.add(row)
    await tx.session.flush()
    return row.session_id


async def test_a_site_booking_gets_an_evse_and_can_be_read_back(book, new_driver, evse_ids, transactions):
    driver_id = await new_driver()
    booked = await book(driver_id)
    assert (booked.station_id, booked.evse_number, booked.evse_id) == ("cp1", 1, evse_ids[0])
    assert (booked.state, booked.is_pinned, booked.need_wh) == ("booked", False, 2_000.0)
    assert (booked.arrives_at, booked.departs_at, booked.created_at) == (at(1), at(3), MORNING)
    async with transactions() as tx:
        assert await bookings.get(tx, booked.booking_id, driver_id) == booked
        with pytest.raises(NotFound):
            await bookings.get(tx, booked.booking_id, uuid4())


async def test_a_booking_rings_its_site_after_the_commit(book, new_driver, evse_ids, bus):
    driver_id = await new_driver()
    with bus.listen(site_changed("north")) as bell:
        await book(driver_id)
        assert await bell.next(MORNING) is True


async def test_an_evse_can_be_named_by_its_id_or_by_station_and_number(book, new_driver, evse_ids):
    by_id = await book(await new_driver(), evse_id=evse_ids[1])
    by_number = await book(await new_driver(), station_id="cp1", evse_number=3)
    assert (by_id.evse_id, by_number.evse_id) == (evse_ids[1], evse_ids[2])
    assert by_id.is_pinned
    assert by_number.is_pinned


IMPOSSIBLE = [
    ({"driver_id": uuid4()}, "driver_id"),
    ({"site_id": "south"}, "site_id"),
    ({"evse_id": 999}, "evse_id"),
    ({"evse_number": 1}, "station_id"),
    ({"station_id": "cp9"}, "station_id"),
    ({"station_id": "cp1", "evse_number": 4}, "evse_number"),
    ({"station_id": "cp1", "evse_id": 1}, "evse_id"),
    ({"wish": EnergyWish()}, "energy_kwh"),
    ({"wish": EnergyWish(need_wh=1.0, range_km=1.0)}, "range_km"),
    ({"wish": EnergyWish(range_km=1.0)}, "vehicle_id"),
    ({"wish": EnergyWish(range_km=1.0, vehicle_id=str(uuid4()))}, "vehicle_id"),
    ({"wish": EnergyWish(need_wh=0.0)}, "energy_kwh"),
    ({"arrives_at": at(-1)}, "arrives_at"),
    ({"departs_at": at(0)}, "departs_at"),
]


async def test_what_cannot_be_meant_is_refused_with_its_field(new_driver, evse_ids, transactions):
    possible = wanted(await new_driver())
    for more, field in IMPOSSIBLE:
        async with transactions() as tx:
            with pytest.raises(Invalid) as broken:
                await bookings.book(tx, replace(possible, **more))
        assert broken.value.field == field, more


async def test_a_range_becomes_energy_by_the_cars_consumption_and_its_power_bounds_the_stay(
    new_driver, evse_ids, transactions
):
    driver_id = await new_driver()
    async with transactions() as tx:
        vehicle_id = await add_car(tx, driver_id, 3_000.0)

    def for_km(range_km):
        wish = EnergyWish(range_km=range_km, vehicle_id=str(vehicle_id))
        return NewBooking(driver_id, "north", at(1), at(3), wish)

    async with transactions() as tx:
        with pytest.raises(BookingRefused) as broken:
            await bookings.book(tx, for_km(50.0))
    assert (broken.value.field, broken.value.detail) == ("range_km", "at most 6.0 kWh can be charged in this stay")
    async with transactions() as tx:
        booked = await bookings.book(tx, for_km(20.0))
    assert (booked.need_wh, booked.vehicle_id) == (3_000.0, vehicle_id)


async def test_twenty_at_once_for_five_evses_make_exactly_five_bookings_that_do_not_overlap(
    transactions, evse_ids, book, new_driver
):
    async with transactions() as tx:
        await add_station(tx, "cp2", evses=2)
    drivers = [await new_driver() for _ in range(20)]
    answers = await asyncio.gather(*(book(driver_id) for driver_id in drivers), return_exceptions=True)
    booked = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, BookingRefused)]
    assert (len(booked), len(refused)) == (5, 15)
    assert len({answer.evse_id for answer in booked}) == 5
    assert all(answer.detail == "all EVSEs are taken at that time" for answer in refused)
    assert all(len(answer.alternatives) == 1 for answer in refused)
    assert {answer.alternatives[0].arrives_at for answer in refused} == {at(3)}


async def test_a_driver_cannot_be_booked_twice_at_a_time_not_even_at_once_at_different_sites(
    transactions, book, new_driver, evse_ids
):
    async with transactions() as tx:
        for site_id in ("east", "south", "west"):
            await add_site(tx, site_id)
            await add_station(tx, f"cp {site_id}", site_id)
    driver_id = await new_driver()
    places = ("north", "east", "south", "west")
    answers = await asyncio.gather(*(book(driver_id, site_id=place) for place in places), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BookingRefused)]
    assert {answer.detail for answer in refused} == {"the driver has another booking at that time"}
    assert len(refused) == 3
    assert (await book(driver_id, 3, 4)).state == "booked"


async def test_an_overlap_that_only_the_database_saw_sends_a_site_booking_to_another_evse(
    transactions, book, new_driver, evse_ids
):
    one, other = await new_driver(), await new_driver()
    async with transactions() as stranger:  # somebody who ignores the lock
        await add_booking(stranger, one, evse_ids[0], at(1), at(3))
        booking = asyncio.create_task(book(other))
        await _until_somebody_waits(transactions)
    assert (await booking).evse_id == evse_ids[1]


async def test_an_overlap_that_only_the_database_saw_refuses_a_pinned_booking_with_alternatives(
    transactions, book, new_driver, evse_ids
):
    one, other = await new_driver(), await new_driver()
    async with transactions() as stranger:
        await add_booking(stranger, one, evse_ids[0], at(1), at(3), is_pinned=True)
        booking = asyncio.create_task(book(other, evse_id=evse_ids[0]))
        await _until_somebody_waits(transactions)
    with pytest.raises(BookingRefused) as refused:
        await booking
    assert [each.evse_id for each in refused.value.alternatives] == [evse_ids[1], evse_ids[2], evse_ids[0]]
    assert refused.value.alternatives[0].station_id == "cp1"
    assert refused.value.alternatives[0].evse_number == 2


async def test_an_overlap_that_only_the_database_saw_sends_a_changed_booking_to_another_evse(
    transactions, book, change, new_driver, evse_ids
):
    mine, other = await book(await new_driver()), await new_driver()
    async with transactions() as stranger:
        await add_booking(stranger, other, evse_ids[0], at(3), at(5))
        changing = asyncio.create_task(change(mine, departs_at=at(4)))
        await _until_somebody_waits(transactions)
    changed = await changing
    assert (changed.evse_id, changed.departs_at, changed.state) == (evse_ids[1], at(4), "booked")


async def _until_somebody_waits(transactions):
    who = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    query = text(f"SELECT count(*) {who}")
    async with asyncio.timeout(10):
        while True:
            async with transactions() as tx:
                if await tx.session.scalar(query):
                    return
            await asyncio.sleep(0.02)


async def test_a_pinned_booking_moves_an_unpinned_one_and_never_a_pinned_one(book, new_driver, evse_ids, transactions):
    unpinned = await book(await new_driver())
    assert unpinned.evse_id == evse_ids[0]
    pinned = await book(await new_driver(), 2, 4, evse_id=evse_ids[0])
    assert pinned.evse_id == evse_ids[0]
    assert await evse_of(transactions, unpinned.booking_id) == evse_ids[1]
    with pytest.raises(BookingRefused, match="the EVSE is taken"):
        await book(await new_driver(), 3, 5, evse_id=evse_ids[0])


async def test_a_stay_with_no_gap_of_its_own_fits_after_others_were_moved(book, new_driver, evse_ids, transactions):
    for evse_id in evse_ids[2:]:
        await book(await new_driver(), 1, 5, evse_id=evse_id)
    early = await book(await new_driver(), 1, 3, evse_id=evse_ids[0])
    async with transactions() as tx:
        await add_booking(tx, await new_driver(), evse_ids[1], at(3), at(5))
    long = await book(await new_driver(), 1, 5)
    assert early.evse_id == evse_ids[0]
    assert long.evse_id == evse_ids[1]


async def test_plugged_in_cars_and_faulted_evses_are_not_promised(book, new_driver, evse_ids, transactions):
    async with transactions() as tx:
        await plug_in(tx, evse_ids[0], None, departs_at=at(2))
        await tx.session.execute(update(EvseRow).where(EvseRow.evse_id == evse_ids[1]).values(occupancy="faulted"))
    assert (await book(await new_driver())).evse_id == evse_ids[2]
    with pytest.raises(BookingRefused):
        await book(await new_driver())
    assert (await book(await new_driver(), 2.5, 2.9, 100.0)).evse_id == evse_ids[0]


async def test_a_change_keeps_the_evse_when_it_can_and_moves_when_it_must(book, change, new_driver, evse_ids):
    mine = await book(await new_driver(), 1, 3)
    longer = await change(mine, departs_at=at(4))
    assert (longer.evse_id, longer.departs_at) == (evse_ids[0], at(4))
    await book(await new_driver(), 5, 7, evse_id=evse_ids[0])
    longest = await change(mine, departs_at=at(6), wish=EnergyWish(need_wh=5_000.0))
    assert (longest.evse_id, longest.departs_at, longest.need_wh) == (evse_ids[1], at(6), 5_000.0)


async def test_a_refused_change_leaves_the_booking_as_it_was(book, change, new_driver, evse_ids, transactions):
    mine = await book(await new_driver(), 1, 3, evse_id=evse_ids[0])
    await book(await new_driver(), 3, 5, evse_id=evse_ids[0])
    with pytest.raises(BookingRefused):
        await change(mine, departs_at=at(4))
    async with transactions() as tx:
        assert await bookings.get(tx, mine.booking_id) == mine


async def test_a_late_driver_may_still_prolong_the_stay(book, change, new_driver, evse_ids, clock):
    mine = await book(await new_driver(), 1, 3)
    clock.advance(hours=2)
    assert (await change(mine, departs_at=at(5))).departs_at == at(5)
    with pytest.raises(Invalid) as broken:
        await change(mine, arrives_at=at(1.5))
    assert broken.value.field == "arrives_at"


async def test_only_the_owner_changes_or_cancels(book, change, new_driver, evse_ids, transactions):
    mine = await book(await new_driver())
    stranger_id = await new_driver()
    with pytest.raises(NotFound):
        await change(mine, stranger_id, departs_at=at(4))
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await bookings.cancel(tx, mine.booking_id, stranger_id)


async def test_a_cancelled_booking_frees_its_evse_and_stays_cancelled(book, change, new_driver, evse_ids, transactions):
    mine = await book(await new_driver(), evse_id=evse_ids[0])
    for _ in range(2):
        async with transactions() as tx:
            assert (await bookings.cancel(tx, mine.booking_id)).state == "cancelled"
    assert (await book(await new_driver(), evse_id=evse_ids[0])).evse_id == evse_ids[0]
    with pytest.raises(Conflict, match="is cancelled"):
        await change(mine, departs_at=at(4))


async def test_bookings_are_listed_by_arrival_and_filtered(book, new_driver, evse_ids, transactions):
    one, other = await new_driver(), await new_driver()
    later, earlier, others = await book(one, 5, 6), await book(one, 1, 2), await book(other, 3, 4)
    async with transactions() as tx:
        await bookings.cancel(tx, others.booking_id)
        first = await bookings.bookings(tx, PageAsked(2))
        rest = await bookings.bookings(tx, PageAsked(2, first.next_cursor))
        mine = await bookings.bookings(tx, PageAsked(), driver_id=one, site_id="north", state="booked")
    assert [each.booking_id for each in first.items] == [earlier.booking_id, others.booking_id]
    assert [each.booking_id for each in rest.items] == [later.booking_id]
    assert rest.next_cursor is None
    assert [each.booking_id for each in mine.items] == [earlier.booking_id, later.booking_id]


async def test_bookings_that_nobody_came_for_are_missed_and_left_ones_are_done(
    book, new_driver, evse_ids, transactions, clock
):
    missed, stays, left = [await book(await new_driver(), 0, 2) for _ in range(3)]
    async with transactions() as tx:
        for each in (stays, left):
            claimed = await bookings.claim(
                tx, site_id="north", evse_id=each.evse_id, driver_id=each.driver_id, at=MORNING
            )
            await plug_in(tx, each.evse_id, each.driver_id, claimed.booking_id)
    clock.at = at(1)
    async with transactions() as tx:
        assert await bookings.expire(tx) == 0
        await tx.session.execute(
            update(SessionRow).where(SessionRow.booking_id == left.booking_id).values(ended_at=tx.now)
        )
    clock.advance(minutes=15)
    async with transactions() as tx:
        assert await bookings.expire(tx) == 1
    clock.at = at(2)
    async with transactions() as tx:
        assert await bookings.expire(tx) == 1
        assert await bookings.expire(tx) == 0
        states = [(await bookings.get(tx, each.booking_id)).state for each in (missed, stays, left)]
    assert states == ["missed", "arrived", "done"]


async def test_erasing_a_driver_is_not_held_up_by_a_booking_of_another(book, new_driver, evse_ids, transactions):
    one, other = await new_driver(), await new_driver()
    mine = await book(one)
    async with transactions() as tx:
        await tx.session.delete(await tx.session.get(DriverRow, one))
        await tx.session.flush()
        await asyncio.wait_for(book(other, evse_id=evse_ids[2]), 5)
    async with transactions() as tx:
        count = select(func.count()).select_from(BookingRow).where(BookingRow.booking_id == mine.booking_id)
        assert await tx.session.scalar(count) == 0
