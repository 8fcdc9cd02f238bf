from datetime import timedelta
from uuid import uuid4

import pytest
from rows import CARD, MORNING, add_booking, add_driver, add_site, add_station
from sqlalchemy import update

from app.domain.booking import EnergyWish
from app.domain.errors import Invalid
from app.domain.facts import SessionStarted
from app.domain.pages import PageAsked
from app.operations import bookings, intents, sessions
from app.operations.bookings import BookingChange
from app.operations.station_facts import record_facts
from app.store.driver import BookingRow

pytestmark = pytest.mark.database


def at(hour):
    return MORNING + timedelta(hours=hour)


@pytest.fixture
async def park(transactions):
    """A site with three EVSEs, the driver who comes and another one."""
    async with transactions() as tx:
        await add_site(tx)
        evse_ids = await add_station(tx, "cp1", evses=3)
        return evse_ids, await add_driver(tx), await add_driver(tx, token="OTHER")


@pytest.fixture
def claim(transactions, park):
    async def claim(evse_id, at_hour=1.0, driver_id=park[1]):
        async with transactions() as tx:
            row = await bookings.claim(tx, site_id="north", evse_id=evse_id, driver_id=driver_id, at=at(at_hour))
            return None if row is None else row.booking_id

    return claim


@pytest.fixture
def place(transactions):
    async def place(driver_id, evse_id, from_hour=1, to_hour=3, **changes):
        async with transactions() as tx:
            return await add_booking(tx, driver_id, evse_id, at(from_hour), at(to_hour), **changes)

    return place


async def state_of(transactions, booking_id):
    async with transactions() as tx:
        found = await bookings.get(tx, booking_id)
    return found.state, found.evse_id


async def test_a_booking_is_claimed_from_an_hour_before_its_start_until_its_end(claim, place, park, transactions):
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0])
    for at_hour in (-0.01, 3, 4):
        assert await claim(evse_ids[0], at_hour) is None
        assert await state_of(transactions, booking_id) == ("booked", evse_ids[0])
    for at_hour in (0, 0.5, 1, 2.99):
        async with transactions() as tx:
            await tx.session.execute(update(BookingRow).values(state="booked"))
        assert await claim(evse_ids[0], at_hour) == booking_id
        assert await state_of(transactions, booking_id) == ("arrived", evse_ids[0])


async def test_nobody_without_a_booking_claims_one(claim, place, park):
    evse_ids, _, other = park
    await place(other, evse_ids[0])
    assert await claim(evse_ids[0]) is None
    assert await claim(evse_ids[0], driver_id=None) is None
    assert await claim(evse_ids[0], driver_id=uuid4()) is None


async def test_a_booking_that_is_over_is_not_claimed(claim, place, park):
    evse_ids, me, _ = park
    for state in ("cancelled", "missed", "done"):
        await place(me, evse_ids[0], state=state)
    assert await claim(evse_ids[0]) is None


async def test_the_booking_follows_the_car_to_the_evse_where_it_really_is(claim, place, park, transactions):
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0], is_pinned=True)
    assert await claim(evse_ids[2]) == booking_id
    assert await state_of(transactions, booking_id) == ("arrived", evse_ids[2])


async def test_an_unpinned_booking_makes_room_even_by_changing_places(claim, place, park, transactions):
    evse_ids, me, other = park
    mine, theirs = await place(me, evse_ids[0]), await place(other, evse_ids[1])
    async with transactions() as tx:
        blocking = await add_driver(tx, token="THIRD")
    await place(blocking, evse_ids[2], is_pinned=True)
    assert await claim(evse_ids[1]) == mine
    assert await state_of(transactions, mine) == ("arrived", evse_ids[1])
    assert await state_of(transactions, theirs) == ("booked", evse_ids[0])


async def test_where_a_pinned_booking_is_in_the_way_the_claim_holds_and_both_keep_their_evse(
    claim, place, park, transactions
):
    evse_ids, me, other = park
    mine, theirs = await place(me, evse_ids[0]), await place(other, evse_ids[1], is_pinned=True)
    assert await claim(evse_ids[1]) == mine
    assert await state_of(transactions, mine) == ("arrived", evse_ids[0])
    assert await state_of(transactions, theirs) == ("booked", evse_ids[1])


async def test_of_two_bookings_the_one_at_the_evse_is_claimed_else_the_earlier(claim, place, park):
    evse_ids, me, _ = park
    first, second = await place(me, evse_ids[0], 1, 1.5), await place(me, evse_ids[1], 1.5, 3)
    assert await claim(evse_ids[1]) == second
    assert await claim(evse_ids[2]) == first


def started(evse_number=1, hour=1.0, **changes):
    when = at(hour)
    return SessionStarted(evse_number, when, when, None, CARD, 0.0, f"{evse_number} {hour}", **changes)


@pytest.fixture
def plug_in(transactions):
    """Plug the car in as a station would tell it; return the session's id."""

    async def plug_in(evse_number=1, hour=1.0):
        async with transactions() as tx:
            ref = (await record_facts(tx, "cp1", [started(evse_number, hour)])).station_ref
        async with transactions() as tx:
            page = await sessions.sessions(tx, owner_id=None, site_id=None, is_running=True, asked=PageAsked())
        assert ref is not None
        return page.items[0].session_id

    return plug_in


async def session(transactions, session_id):
    async with transactions() as tx:
        return await sessions.get(tx, session_id)


async def test_a_plugged_in_car_has_its_bookings_intent_and_follows_its_changes(
    plug_in, place, park, transactions, clock
):
    clock.at = at(1)
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0], need_wh=7_000.0)
    session_id = await plug_in()
    now = await session(transactions, session_id)
    assert (now.booking_id, now.need_wh, now.departs_at, now.intent_source) == (booking_id, 7_000.0, at(3), "booking")
    change = BookingChange(departs_at=at(4), wish=EnergyWish(need_wh=8_000.0))
    async with transactions() as tx:
        await bookings.change(tx, booking_id, change, me)
    now = await session(transactions, session_id)
    assert (now.need_wh, now.departs_at, now.intent_source) == (8_000.0, at(4), "booking")


async def test_a_cancelled_booking_leaves_the_plugged_in_car_with_the_sites_default(
    plug_in, place, park, transactions, clock
):
    clock.at = at(1)
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0])
    session_id = await plug_in()
    async with transactions() as tx:
        await bookings.cancel(tx, booking_id, me)
    now = await session(transactions, session_id)
    assert (now.need_wh, now.departs_at, now.intent_source) == (12_000.0, at(9), "assumed")


async def test_what_the_driver_said_at_the_car_survives_the_bookings_end(plug_in, place, park, transactions, clock):
    clock.at = at(1)
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0])
    session_id = await plug_in()
    async with transactions() as tx:
        await intents.put(tx, session_id, departs_at=at(2), wish=EnergyWish(need_wh=1_000.0), owner_id=me)
        await bookings.cancel(tx, booking_id, me)
    now = await session(transactions, session_id)
    assert (now.need_wh, now.departs_at, now.intent_source) == (1_000.0, at(2), "driver")


async def test_an_arrived_booking_keeps_its_arrival_and_its_evse(plug_in, place, park, transactions, clock):
    clock.at = at(1)
    evse_ids, me, other = park
    booking_id = await place(me, evse_ids[0])
    await plug_in()
    await place(other, evse_ids[0], 3, 5)
    async with transactions() as tx:
        with pytest.raises(Invalid, match="the car has arrived"):
            await bookings.change(tx, booking_id, BookingChange(arrives_at=at(1.5)))
    async with transactions() as tx:
        changed = await bookings.change(tx, booking_id, BookingChange(departs_at=at(4)))
    assert (changed.evse_id, changed.state) == (evse_ids[0], "arrived")


async def test_a_car_that_is_plugged_in_again_claims_its_booking_again(plug_in, place, park, transactions, clock):
    clock.at = at(1)
    evse_ids, me, _ = park
    booking_id = await place(me, evse_ids[0])
    await plug_in(1, 1.0)
    session_id = await plug_in(1, 1.2)
    assert (await session(transactions, session_id)).booking_id == booking_id
