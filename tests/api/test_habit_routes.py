from datetime import timedelta
from uuid import uuid4

import pytest
from rows import MORNING
from sqlalchemy import select

from app.domain.identity import Role
from app.domain.snapshot import IntentSource
from app.operations import stays
from app.store.session import SessionRow
from app.store.station import EvseRow
from app.store.stays import LearntStaysRow, PastStayRow

pytestmark = pytest.mark.database


@pytest.fixture
def stay(site, transactions):
    async def stay(driver_id, day, *, left=9.0, said=10.0, taken_wh=8_000.0, is_over=True, source="driver"):
        """Let a driver have stayed from 7:00 UTC until `left` o'clock on some day."""
        arrived_at = MORNING - timedelta(days=day)
        async with transactions() as tx:
            evse = await tx.session.scalar(select(EvseRow).where(EvseRow.station_id == "one").limit(1))
            row = SessionRow(
                session_id=uuid4(),
                site_id="north",
                station_id="one",
                evse_id=evse.evse_id,
                station_ref=str(uuid4())[:8],
                start_key=str(uuid4()),
                driver_id=driver_id,
                started_at=arrived_at,
                ended_at=arrived_at + timedelta(hours=left - 7) if is_over else None,
                delivered_wh=taken_wh,
                departs_at=arrived_at + timedelta(hours=said - 7),
                need_wh=10_000.0,
                intent_source=source,
                intent_basis="of 12 stays" if source == IntentSource.LEARNT else None,
            )
            tx.session.add(row)
            await stays.record(tx, [row])
            return row.session_id

    return stay


async def learn_something(transactions):
    async with transactions() as tx:
        row = LearntStaysRow(
            site_id="north", learnt_id=uuid4(), learnt_at=tx.now, method="some", stays_count=7, body=b"of people"
        )
        tx.session.add(row)


async def test_a_driver_sees_in_local_time_and_words_what_is_known(driver, operator, stay):
    path = f"/v1/drivers/{driver.driver_id}/habits"
    assert await driver.ok("GET", path) == {
        "driver_id": str(driver.driver_id),
        "is_learning": True,
        "forgotten_at": None,
        "stays_count": 0,
        "sites": [],
    }
    for day in range(1, 5):
        await stay(driver.driver_id, day, left=8.0 + day / 4, taken_wh=5_000.0 + 1_000 * day)
    found = await driver.ok("GET", path)
    assert await operator.ok("GET", path) == found
    (habits,) = found["sites"]
    assert habits.pop("words") == (
        "Half of 4 stays ended between 17:26 and 17:49 (Asia/Tokyo), usually 82 minutes earlier than was said. "
        "Usually 7.5 kWh were taken where 10.0 kWh were asked for."
    )
    assert habits == {
        "site_id": "north",
        "zone": "Asia/Tokyo",
        "stays_count": 4,
        "since_at": "2026-03-28T07:00:00Z",
        "said_count": 4,
        "departure": {"early": "17:26", "middle": "17:38", "late": "17:49"},
        "later_than_said": {"low_minutes": -94, "middle_minutes": -82, "high_minutes": -71},
        "early_share": 1.0,
        "taken": {"low_kwh": 6.75, "middle_kwh": 7.5, "high_kwh": 8.25},
        "asked": {"low_kwh": 10.0, "middle_kwh": 10.0, "high_kwh": 10.0},
        "taken_of_asked": {"low_share": 0.675, "middle_share": 0.75, "high_share": 0.825},
    }


async def test_another_driver_s_habits_do_not_exist(driver, desk, stay):
    other = await desk.with_role(Role.DRIVER)
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"is_learning": False})):
        answer = await other.send(method, f"/v1/drivers/{driver.driver_id}/habits", body)
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such driver")


async def everything_kept(transactions):
    async with transactions() as tx:
        rows = [row.driver_id for row in await tx.session.scalars(select(PastStayRow))]
        learnt = {row.body for row in await tx.session.scalars(select(LearntStaysRow))}
    return rows, learnt


async def test_what_is_forgotten_is_gone_from_rows_and_from_what_was_learnt_and_is_not_taken_in_again(
    driver, operator, desk, stay, transactions, clock
):
    other = await desk.with_role(Role.DRIVER)
    await stay(driver.driver_id, 1)
    await stay(other.driver_id, 2)
    running = await stay(driver.driver_id, 0, is_over=False, source="learnt")
    assert (await driver.ok("GET", f"/v1/sessions/{running}"))["intent_basis"] == "of 12 stays"
    ended = await stay(driver.driver_id, 3, source="learnt")
    await learn_something(transactions)
    await driver.ok("DELETE", f"/v1/drivers/{driver.driver_id}/habits", status=204)
    assert (await driver.ok("GET", f"/v1/sessions/{ended}"))["intent_basis"] == "learnt from earlier stays"
    assert await everything_kept(transactions) == ([other.driver_id], {b""})
    session = await driver.ok("GET", f"/v1/sessions/{running}")
    assert (session["intent_source"], session["intent_basis"]) == (
        "assumed",
        "the site's default, nobody said anything",
    )
    async with transactions() as tx:
        assert not await stays.take_in_missing(tx, "north")
    found = await driver.ok("GET", f"/v1/drivers/{driver.driver_id}/habits")
    assert (found["is_learning"], found["forgotten_at"], found["stays_count"]) == (True, "2026-04-01T07:00:00Z", 0)
    assert (await operator.ok("GET", "/v1/sites/north/habits"))["learnt"] is None


async def test_who_is_not_learnt_from_stays_without_a_name(driver, stay, transactions, clock):
    path = f"/v1/drivers/{driver.driver_id}/habits"
    await stay(driver.driver_id, 1)
    assert (await driver.ok("PUT", path, {"is_learning": False}))["is_learning"] is False
    clock.advance(days=1)
    await stay(driver.driver_id, -1)
    assert (await everything_kept(transactions))[0] == [None]
    assert (await driver.ok("PUT", path, {"is_learning": True}))["stays_count"] == 0
    clock.advance(days=1)
    await stay(driver.driver_id, -2)
    assert (await driver.ok("GET", path))["stays_count"] == 1


async def test_erasing_a_driver_empties_what_was_learnt(driver, stay, transactions):
    await stay(driver.driver_id, 1)
    await learn_something(transactions)
    await driver.ok("DELETE", f"/v1/drivers/{driver.driver_id}", status=204)
    assert await everything_kept(transactions) == ([None], {b""})


async def test_a_site_tells_nothing_but_a_number_of_fewer_than_five_stays(operator, driver, stay, transactions):
    await learn_something(transactions)
    for day in range(1, 5):
        await stay(driver.driver_id, day)
    few = await operator.ok("GET", "/v1/sites/north/habits")
    assert few["learnt"] == {"learnt_at": "2026-04-01T07:00:00Z", "method": "some", "stays_count": 7}
    told = {name for name, value in few["habits"].items() if value is not None}
    assert told == {"site_id", "zone", "stays_count", "said_count", "words"}
    assert few["habits"]["words"] == "4 stays are known: too few to say anything."
    await stay(driver.driver_id, 5, left=10.0)
    habits = (await operator.ok("GET", "/v1/sites/north/habits"))["habits"]
    assert (habits["early_share"], habits["departure"]["middle"]) == (0.8, "18:00")
    assert (await operator.send("GET", "/v1/sites/south/habits")).status_code == 404
