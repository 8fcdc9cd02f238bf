from datetime import timedelta
from itertools import pairwise

import pytest
from rows import MORNING, add_booking, add_car, add_driver, add_site, add_station
from sqlalchemy import select, update

from app.domain.errors import NotFound
from app.domain.facts import Activity, SessionStarted, SessionUpdated
from app.domain.intervals import Interval
from app.domain.snapshot import IntentSource
from app.operations.station_facts import record_facts
from app.store.driver import BookingRow
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.site import ForecastRow, SiteReadingRow, SiteRow
from app.store.snapshot import LimitHistory, limit_history, read_snapshot
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

HOUR = timedelta(hours=1)


def minutes(count):
    return MORNING + timedelta(minutes=count)


class Park:
    def __init__(self, transactions, clock):
        self.transactions = transactions
        self.clock = clock

    async def snapshot(self):
        async with self.transactions() as tx:
            return await read_snapshot(tx.session, "north", tx.now)

    async def demand(self):
        demands = (await self.snapshot()).demands
        return demands[0] if demands else None

    async def change(self, row, **values):
        async with self.transactions() as tx:
            await tx.session.execute(update(row).values(**values))

    async def accepted(self, power_w, at, lasts=timedelta(minutes=10)):
        async with self.transactions() as tx:
            charging = await tx.session.scalar(select(SessionRow))
            tx.session.add(
                LimitRow(
                    evse_id=charging.evse_id,
                    session_id=charging.session_id,
                    power_w=power_w,
                    reason="test",
                    intended_at=at,
                    ends_at=at + lasts,
                    taken_at=at,
                    outcome="accepted",
                    outcome_at=at,
                )
            )


@pytest.fixture
async def park(transactions, clock):
    """One station with two EVSEs; a car came to the first at 7:00 and wants 12 kWh by 15:00."""
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx, evses=2)
        await add_driver(tx)
        await record_facts(tx, "cp1", [SessionStarted(1, MORNING, MORNING, "tx-1", "CARD-1", 0.0, "start")])
    return Park(transactions, clock)


@pytest.mark.parametrize("kind", [SessionStarted, SessionUpdated])
async def test_a_session_told_from_an_offline_time_gets_no_limit_until_its_end_would_have_come(park, kind, clock):
    """OCPP 1.6 §3.7.1, 2.0.1 E04: the queue is told in one go, and a TxProfile for what is over would be refused."""
    if kind is SessionStarted:
        fact = SessionStarted(2, MORNING - HOUR, MORNING, "tx-2", "CARD-1", 0.0, "start-2", offline=True)
    else:
        fact = SessionUpdated(2, MORNING - HOUR, MORNING, "tx-2", "k" * 80, "CARD-1", offline=True)
    async with park.transactions() as tx:
        await record_facts(tx, "cp1", [fact])
    assert len((await park.snapshot()).demands) == 1
    clock.advance(seconds=61)
    assert len((await park.snapshot()).demands) == 2


async def test_evses_carry_their_electrical_facts_and_whether_they_can_be_controlled(park):
    first, second = (await park.snapshot()).evses
    assert (first.evse_number, second.evse_number) == (1, 2)
    assert (first.nameplate_w, first.min_power_w, first.safe_power_w, first.w_per_a) == (6400.0, 1200.0, 1200.0, 200.0)
    assert first.is_verified
    assert first.is_online
    await park.change(EvseRow, default_verified_at=None)
    await park.change(StationRow, connection_id=None)
    first, _ = (await park.snapshot()).evses
    assert not first.is_verified
    assert not first.is_online


async def test_a_running_session_wants_what_is_still_missing(park):
    await park.change(SessionRow, delivered_wh=5000.0)
    demand = await park.demand()
    assert (demand.need_wh, demand.departs_at, demand.max_power_w) == (7000.0, MORNING + 8 * HOUR, 6400.0)
    assert (demand.source, demand.limit_w, demand.switched_at) == (IntentSource.ASSUMED, None, None)


@pytest.mark.parametrize("delivered_wh", [12_000.0, 11_999.5, 15_000.0])
async def test_a_session_that_has_its_energy_wants_nothing(park, delivered_wh):
    await park.change(SessionRow, delivered_wh=delivered_wh)
    assert await park.demand() is None


async def test_an_ended_session_wants_nothing(park):
    await park.change(SessionRow, ended_at=minutes(1))
    assert await park.demand() is None


async def test_a_car_that_stays_beyond_its_departure_is_taken_to_leave_in_a_quarter_of_an_hour(park, clock):
    clock.advance(hours=8)
    assert (await park.demand()).departs_at == clock.now() + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("caps", "expected_w"),
    [({"max_charge_w": 3300.0}, 3300.0), ({"max_charge_w": 22_000.0}, 6400.0), ({"learnt_cap_w": 2000.0}, 2000.0)],
)
async def test_power_is_capped_by_evse_car_and_what_was_learnt(park, caps, expected_w):
    await park.change(SessionRow, **caps)
    assert (await park.demand()).max_power_w == expected_w


async def test_a_full_car_wants_nothing_until_it_draws_again(park, clock):
    await park.change(EvseRow, activity=Activity.PAUSED_BY_EV, status_at=MORNING, power_w=0.0, metered_at=MORNING)
    clock.advance(seconds=119)
    assert await park.demand() is not None
    clock.advance(seconds=1)
    assert await park.demand() is None
    await park.change(EvseRow, power_w=1500.0, metered_at=minutes(1))
    assert await park.demand() is not None
    await park.change(EvseRow, power_w=0.0, activity=Activity.CHARGING)
    assert await park.demand() is not None


async def test_a_car_that_pauses_because_it_is_not_allowed_to_draw_is_not_full(park, clock):
    await park.change(EvseRow, activity=Activity.PAUSED_BY_EV, status_at=MORNING)
    clock.advance(minutes=5)
    await park.accepted(0.0, minutes(4))
    assert await park.demand() is not None
    clock.advance(minutes=1)
    await park.accepted(3000.0, minutes(6))
    assert await park.demand() is not None
    clock.advance(minutes=2)
    assert await park.demand() is None


async def test_the_limit_in_force_is_the_newest_accepted_one_whose_lease_runs(park, clock):
    await park.accepted(3000.0, MORNING)
    await park.accepted(0.0, minutes(1))
    demand = await park.demand()
    assert (demand.limit_w, demand.switched_at) == (0.0, minutes(1))
    clock.advance(minutes=11)
    demand = await park.demand()
    assert (demand.limit_w, demand.switched_at) == (None, minutes(1))


def entry(power_w, at, lasts=10):
    return LimitRow(power_w=power_w, outcome_at=minutes(at), ends_at=minutes(at + lasts))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], LimitHistory()),
        ([entry(3000.0, 0)], LimitHistory(3000.0, 3000.0, minutes(0), None)),
        ([entry(0.0, 0)], LimitHistory(0.0, 0.0, minutes(0), minutes(0))),
        ([entry(3000.0, 0), entry(3000.0, 4)], LimitHistory(3000.0, 3000.0, minutes(0), None)),
        ([entry(2800.0, 0), entry(3000.0, 4)], LimitHistory(3000.0, 2800.0, minutes(0), None)),
        ([entry(1500.0, 0), entry(3000.0, 4)], LimitHistory(3000.0, 3000.0, minutes(4), None)),
        ([entry(3000.0, 0), entry(0.0, 1), entry(2000.0, 2)], LimitHistory(2000.0, 2000.0, minutes(2), minutes(2))),
        ([entry(3000.0, 0), entry(0.0, 1, lasts=2)], LimitHistory(switched_at=minutes(1))),
    ],
)
def test_the_history_of_limits_knows_since_when_they_are_alike_and_when_they_switched(entries, expected):
    assert limit_history(entries, minutes(5)) == expected


async def test_bookings_of_the_next_day_are_expected_until_their_car_arrives(park, transactions):
    async with transactions() as tx:
        driver_id = await add_driver(tx, None)
        car = await add_car(tx, driver_id, 3000.0)
        _, evse_id = (spec.evse_id for spec in (await read_snapshot(tx.session, "north", tx.now)).evses)
        at = MORNING
        soon = await add_booking(tx, driver_id, evse_id, at + HOUR, at + 5 * HOUR, vehicle_id=car)
        late = await add_booking(tx, driver_id, evse_id, at - HOUR, at + HOUR / 2)
        await add_booking(tx, driver_id, evse_id, at + 24 * HOUR, at + 25 * HOUR)
        await add_booking(tx, driver_id, evse_id, at + 6 * HOUR, at + 7 * HOUR, state="cancelled")
        await add_booking(tx, driver_id, evse_id, at - 3 * HOUR, at - 2 * HOUR)
    first, second = (await park.snapshot()).expected
    assert (first.booking_id, second.booking_id) == (str(late), str(soon))
    assert second.period == Interval(at + HOUR, at + 5 * HOUR)
    assert (second.need_wh, second.max_power_w, second.min_power_w) == (9000.0, 3000.0, 1200.0)
    await park.change(BookingRow, state="arrived")
    assert (await park.snapshot()).expected == ()


async def add_forecast(transactions, issued_at, pv_w):
    async with transactions() as tx:
        tx.session.add(
            ForecastRow(
                site_id="north",
                source="test",
                issued_at=issued_at,
                received_at=issued_at,
                starts_at=MORNING,
                step=timedelta(minutes=15),
                pv_w=[pv_w] * 96,
                building_w=[1000.0] * 96,
            )
        )


async def test_the_surplus_comes_from_the_newest_forecast_and_the_readings(park, transactions):
    await add_forecast(transactions, MORNING - HOUR, 3000.0)
    await add_forecast(transactions, MORNING - HOUR / 2, 5000.0)
    await add_forecast(transactions, MORNING + HOUR, 9000.0)
    snapshot = await park.snapshot()
    assert snapshot.measured_surplus_w is None
    assert snapshot.surplus[0].surplus_w == 4000.0
    async with transactions() as tx:
        for at, pv_w in ((minutes(-2), 100.0), (minutes(-1), 5000.0), (minutes(1), 0.0)):
            tx.session.add(SiteReadingRow(site_id="north", at=at, pv_w=pv_w, building_w=3000.0, received_at=MORNING))
    snapshot = await park.snapshot()
    assert snapshot.measured_surplus_w == 2000.0
    assert snapshot.surplus[0].surplus_w == 2000.0


async def test_the_surplus_covers_everybodys_stay_and_at_least_a_day_without_gaps(park):
    surplus = (await park.snapshot()).surplus
    assert surplus[0].interval.start_at == MORNING
    assert surplus[-1].interval.end_at == MORNING + 24 * HOUR
    await park.change(SessionRow, departs_at=MORNING + 30 * HOUR)
    surplus = (await park.snapshot()).surplus
    assert surplus[-1].interval.end_at == MORNING + 30 * HOUR
    assert all(one.interval.end_at == next_one.interval.start_at for one, next_one in pairwise(surplus))
    await park.change(SessionRow, departs_at=MORNING + 300 * HOUR)
    assert (await park.snapshot()).surplus[-1].interval.end_at == MORNING + 36 * HOUR


async def test_a_site_that_does_not_exist_is_not_found(transactions):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await read_snapshot(tx.session, "ghost", tx.now)


async def test_a_tariff_is_told_for_every_slot_that_is_looked_at(park):
    assert (await park.snapshot()).grid == ()
    dear = {"days": ["wed"], "from": "17:00", "to": "18:00", "price_per_kwh": 30.0}
    await park.change(SiteRow, tariff={"currency": "JPY", "price_per_kwh": 20.0, "periods": [dear]})
    found = await park.snapshot()
    assert [slot.interval for slot in found.grid] == [slot.interval for slot in found.surplus]
    assert sum(slot.price_per_kwh == 30.0 for slot in found.grid) == 4
    assert {slot.price_per_kwh for slot in found.grid} == {20.0, 30.0}
