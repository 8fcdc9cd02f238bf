from datetime import timedelta
from uuid import uuid4

import pytest
from rows import CARD, MORNING, add_car, add_driver, add_site, add_station
from sqlalchemy import update

from app.bus.subjects import site_changed
from app.domain.booking import EnergyWish
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.facts import SessionStarted
from app.domain.pages import PageAsked
from app.operations import intents, sessions
from app.operations.station_facts import record_facts
from app.store.session import SessionRow

pytestmark = pytest.mark.database

WISH = EnergyWish(need_wh=5_000.0)


@pytest.fixture
async def driver_id(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx)
        return await add_driver(tx)


@pytest.fixture
async def session_id(transactions, driver_id):
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionStarted(1, MORNING, MORNING, None, CARD, 0.0, "start")])
    async with transactions() as tx:
        page = await sessions.sessions(tx, owner_id=driver_id, site_id="north", is_running=True, asked=PageAsked())
    return page.items[0].session_id


async def test_the_drivers_word_counts_from_plug_in_and_rings_the_site(transactions, session_id, driver_id, bus, clock):
    clock.advance(hours=1)
    departs_at = clock.at + timedelta(hours=2)
    with bus.listen(site_changed("north")) as bell:
        async with transactions() as tx:
            await intents.put(tx, session_id, departs_at=departs_at, wish=WISH, owner_id=driver_id)
        assert await bell.next(clock.at) is True
    async with transactions() as tx:
        now = await sessions.get(tx, session_id, driver_id)
    assert (now.departs_at, now.need_wh, now.intent_source) == (departs_at, 5_000.0, "driver")


async def test_nothing_may_be_wanted(transactions, session_id):
    async with transactions() as tx:
        wish = EnergyWish(need_wh=0.0)
        await intents.put(tx, session_id, departs_at=MORNING + timedelta(hours=1), wish=wish)
        assert (await sessions.get(tx, session_id)).need_wh == 0.0


async def test_a_range_with_a_car_sets_energy_and_the_cars_bound(transactions, session_id, driver_id):
    async with transactions() as tx:
        vehicle_id = await add_car(tx, driver_id, 3_500.0)
        wish = EnergyWish(range_km=20.0, vehicle_id=str(vehicle_id))
        await intents.put(tx, session_id, departs_at=MORNING + timedelta(hours=1), wish=wish)
        now = await sessions.get(tx, session_id)
    assert (now.need_wh, now.max_charge_w) == (3_000.0, 3_500.0)


async def test_what_cannot_be_meant_is_refused_with_its_field(transactions, session_id):
    for departs_in, wish, field in (
        (timedelta(0), WISH, "departs_at"),
        (timedelta(hours=-1), WISH, "departs_at"),
        (timedelta(hours=48, seconds=1), WISH, "departs_at"),
        (timedelta(hours=1), EnergyWish(), "energy_kwh"),
        (timedelta(hours=1), EnergyWish(range_km=10.0, vehicle_id=str(uuid4())), "vehicle_id"),
    ):
        async with transactions() as tx:
            with pytest.raises(Invalid) as broken:
                await intents.put(tx, session_id, departs_at=MORNING + departs_in, wish=wish)
        assert broken.value.field == field, departs_in


async def test_another_drivers_session_does_not_exist(transactions, session_id):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await intents.put(tx, session_id, departs_at=MORNING + timedelta(hours=1), wish=WISH, owner_id=uuid4())


async def test_a_session_without_a_driver_is_for_operators_alone(transactions, session_id, driver_id):
    departs_at = MORNING + timedelta(hours=1)
    async with transactions() as tx:
        await tx.session.execute(update(SessionRow).values(driver_id=None))
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await intents.put(tx, session_id, departs_at=departs_at, wish=WISH, owner_id=driver_id)
    async with transactions() as tx:
        await intents.put(tx, session_id, departs_at=departs_at, wish=WISH)
        assert (await sessions.get(tx, session_id)).intent_source == "driver"


async def test_an_ended_session_has_no_intent_any_more(transactions, session_id):
    async with transactions() as tx:
        await tx.session.execute(update(SessionRow).values(ended_at=MORNING))
    async with transactions() as tx:
        with pytest.raises(Conflict, match="has ended"):
            await intents.put(tx, session_id, departs_at=MORNING + timedelta(hours=1), wish=WISH)
