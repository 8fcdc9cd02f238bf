"""Forecasts that the house issues itself, those it fetches, and how good they were."""

import asyncio
import sys
from datetime import timedelta

import httpx
import numpy as np
import pytest
from rows import MORNING, add_site
from sqlalchemy import insert, select

from app.domain.errors import Invalid, NotFound
from app.operations import forecast_feeds, forecast_skill, forecasting, forecasts
from app.runtime.forecasting import ForecastLoops
from app.runtime.supervise import Health
from app.scheduling.forecasting.series import slot_number, slot_start
from app.store.site import ForecastFeedRow, ForecastRow, SiteReadingRow

pytestmark = pytest.mark.database

HOUR = timedelta(hours=1)


def sun_w(at) -> float:
    """Half sine from 22 to 10 h UTC (7 to 19 h in Tokyo), as the mean until `at`."""
    hours = (at.hour + at.minute / 60 - 0.125 + 2) % 24
    return 8000.0 * max(0.0, float(np.sin(hours / 12 * np.pi)))


async def add_readings(tx, days: float, until_at=None, factor: float = 1.0, site_id: str = "north") -> None:
    until_at = until_at or tx.now
    count = int(days * 96)
    ends_at = [until_at - timedelta(minutes=15) * back for back in range(count)]
    rows = [
        {"site_id": site_id, "at": at, "pv_w": factor * sun_w(at), "building_w": 2000.0, "received_at": at}
        for at in ends_at
    ]
    await tx.session.execute(insert(SiteReadingRow), rows)


async def issue(transactions):
    async with transactions() as tx:
        question = await forecasting.look(tx, "north")
    if not question.is_wanted:
        return None
    answer, _ = forecasting.told(question, None)
    if answer is None:
        return None
    async with transactions() as tx:
        return await forecasting.issue(tx, question, answer)


async def push(tx, age=timedelta(0), hours: int = 6):
    return await forecasts.record(
        tx,
        "north",
        source="weather office",
        issued_at=tx.now - age,
        starts_at=tx.now - age,
        step=HOUR,
        pv_w=[1.0] * hours,
        building_w=[0.0] * hours,
    )


async def test_a_forecast_is_issued_with_its_band_building_and_arrivals(transactions, clock):
    clock.advance(minutes=3)
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 10, slot_start(slot_number(tx.now)))
    row = await issue(transactions)
    assert (row.source, row.method, row.issued_at) == ("sunslot", "climatology", clock.at)
    assert (row.starts_at, row.step) == (slot_start(slot_number(clock.at)), timedelta(minutes=15))
    assert {len(row.pv_w), len(row.pv_p10_w), len(row.pv_p90_w), len(row.building_w), len(row.arrivals_count)} == {144}
    ends_at = row.starts_at + timedelta(minutes=15)
    assert row.pv_w[0] == pytest.approx(sun_w(ends_at), rel=0.1)
    assert row.building_w[0] == pytest.approx(2000.0)


async def test_a_forecast_is_issued_once_a_slot(transactions, clock):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 4)
    assert await issue(transactions) is not None
    assert await issue(transactions) is None
    clock.advance(minutes=15)
    assert await issue(transactions) is not None


@pytest.mark.parametrize(
    ("age_hours", "hours", "is_ours_wanted"), [(0, 6, False), (2, 6, False), (2, 3, True), (4, 24, True)]
)
async def test_ours_is_issued_only_where_nobody_else_tells_enough(transactions, age_hours, hours, is_ours_wanted):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 4)
        await push(tx, age_hours * HOUR, hours)
    assert (await issue(transactions) is not None) is is_ours_wanted


async def test_nothing_is_issued_where_nothing_is_known(transactions):
    async with transactions() as tx:
        await add_site(tx)
    assert await issue(transactions) is None
    async with transactions() as tx:
        await add_readings(tx, 2)
    assert await issue(transactions) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pvlib's own, of pandas
@pytest.mark.parametrize(("days", "method"), [(0, "persistence"), (5, "climatology")])
async def test_a_young_site_whose_panels_are_known_has_a_forecast_from_their_clear_sky(transactions, days, method):
    async with transactions() as tx:
        await add_site(tx, latitude_deg=35.68, longitude_deg=139.77, pv_peak_w=10_000.0)
        if days:
            await add_readings(tx, days)
    row = await issue(transactions)
    assert row.method == method
    assert max(row.pv_w) > 2000.0
    night = slot_number(MORNING + timedelta(hours=8)) - slot_number(row.starts_at)  # midnight in Tokyo
    assert row.pv_w[night] == 0.0


async def test_a_site_without_sun_gets_no_forecast_however_long_it_is_measured(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 35, factor=0.0)
    assert await issue(transactions) is None


async def test_where_the_learner_cannot_be_loaded_the_next_best_method_is_used(transactions, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 60)
    assert (await issue(transactions)).method == "climatology"


async def test_only_the_newest_day_is_read_again(transactions, clock):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 5)
        known = (await forecasting.look(tx, "north")).history
        clock.advance(hours=1)
    async with transactions() as tx:
        await add_readings(tx, 1 / 24)
        again = (await forecasting.look(tx, "north", known)).history
        whole = (await forecasting.look(tx, "north")).history
    assert again.pv.until == known.pv.until + 4
    np.testing.assert_allclose(again.pv.powers_w, whole.pv.powers_w)
    np.testing.assert_allclose(again.building.powers_w, whole.building.powers_w)


async def test_a_pushed_band_has_both_sides_around_the_middle_and_our_name_is_ours(transactions):
    values = {"starts_at": None, "step": HOUR, "building_w": [0.0], "source": "x"}
    async with transactions() as tx:
        await add_site(tx)
        values |= {"issued_at": tx.now, "starts_at": tx.now, "pv_w": [5.0]}
        row = await forecasts.record(tx, "north", **values, pv_p10_w=[4.0], pv_p90_w=[6.0])
        assert (row.method, row.pv_p10_w, row.pv_p90_w) == ("pushed", [4.0], [6.0])
        for low, high, field in (([6.0], [7.0], "p10"), ([4.0], None, "p90"), (None, [6.0], "p10"), ([], [6.0], "p10")):
            with pytest.raises(Invalid) as caught:
                await forecasts.record(tx, "north", **values, pv_p10_w=low, pv_p90_w=high)
            assert field in caught.value.field
        with pytest.raises(Invalid, match="must not be sunslot"):
            await forecasts.record(tx, "north", **values | {"source": "sunslot"})


async def test_skill_is_told_by_method_and_lead_beside_persistence(transactions, clock):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 30)
        for back in range(4, 96, 4):
            at = tx.now - timedelta(minutes=15) * back
            ends_at = [at + timedelta(minutes=15) * (step + 1) for step in range(20)]
            tx.session.add(
                ForecastRow(
                    site_id="north", source="office", method="pushed", issued_at=at, received_at=at, starts_at=at,
                    step=timedelta(minutes=15), pv_w=[sun_w(each) + 800.0 for each in ends_at], building_w=[0.0] * 20,
                    pv_p10_w=[sun_w(each) - 1.0 for each in ends_at], pv_p90_w=[sun_w(each) + 1.0 for each in ends_at],
                )
            )  # fmt: skip
    async with transactions() as tx:
        report = await forecast_skill.skill(tx, "north", None, None)
    assert report.forecasts_count == 23
    assert [(each.method, each.lead) for each in report.items] == [("office", lead) for lead in (1, 4, 8, 16)]
    for each in report.items:
        assert 5 <= each.count <= 14
        assert each.error_share == pytest.approx(0.1, abs=0.002)
        assert each.reference_error_share < 0.05
        assert (each.banded_count, each.covered_share) == (each.count, 1.0)


async def test_skill_of_nothing_is_empty_and_a_window_has_an_order(transactions):
    async with transactions() as tx:
        await add_site(tx)
        assert (await forecast_skill.skill(tx, "north", None, None)).items == ()
        for from_at in (tx.now + HOUR, tx.now - timedelta(days=32)):
            with pytest.raises(Invalid):
                await forecast_skill.skill(tx, "north", from_at, None)
        with pytest.raises(NotFound):
            await forecast_skill.skill(tx, "none", None, None)


SOLCAST = {
    "forecasts": [
        {"pv_estimate": 2.0, "pv_estimate10": 1.0, "pv_estimate90": 3.0, "period_end": f"2026-04-01T{hour:02d}:00:00Z",
         "period": "PT60M"}
        for hour in range(8, 14)
    ]
}  # fmt: skip


class Service:
    """Answers with `answer` and counts how often it was asked."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer, self.asked_count = answer, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_count += 1
        return self.answer

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


async def put_feed(transactions, **changes):
    values = {"kind": "solcast", "resource": "ab-12", "key": "s3cret", "every": HOUR}
    async with transactions() as tx:
        return await forecast_feeds.put(tx, "north", **values | changes)


async def test_a_feed_is_fetched_when_it_is_due_and_its_forecast_is_heard_first(transactions, clock):
    async with transactions() as tx:
        await add_site(tx)
        await add_readings(tx, 4)
    await put_feed(transactions)
    service = Service(httpx.Response(200, json=SOLCAST))
    async with service.client() as web:
        assert await forecast_feeds.fetch_due(transactions, web, "north")
        assert not await forecast_feeds.fetch_due(transactions, web, "north")
        async with transactions() as tx:
            row = await forecasts.newest(tx, "north")
        assert (row.source, row.method, row.pv_w[0], row.pv_p90_w[0]) == ("solcast", "fetched", 2000.0, 3000.0)
        assert row.building_w[0] == pytest.approx(2000.0)
        assert await issue(transactions) is None
        clock.advance(hours=1)
        assert await forecast_feeds.fetch_due(transactions, web, "north")
    assert service.asked_count == 2


async def test_a_failing_feed_is_asked_later_and_later_and_loses_nothing(transactions, clock, capsys):
    async with transactions() as tx:
        await add_site(tx)
        await push(tx)
    await put_feed(transactions)
    service = Service(httpx.Response(200, json={"forecasts": [{"pv_estimate": "s3cret"}]}))
    async with service.client() as web:
        for _ in range(13):
            assert not await forecast_feeds.fetch_due(transactions, web, "north")
            clock.advance(hours=1)
    assert service.asked_count == 4  # at 0, 2, 6 and 12 h
    async with transactions() as tx:
        feed = await forecast_feeds.get(tx, "north")
        assert feed.failures_count == 4
        assert feed.problem == "forecasts[0].period_end is missing"
        assert (await forecasts.newest(tx, "north")).source == "weather office"
    assert "s3cret" not in "".join(capsys.readouterr())


async def test_a_feeds_key_stays_where_none_is_given_and_goes_with_the_feed(transactions):
    async with transactions() as tx:
        await add_site(tx)
    await put_feed(transactions)
    assert (await put_feed(transactions, key=None)).key == "s3cret"
    with pytest.raises(Invalid, match="needs the site's latitude"):
        await put_feed(transactions, kind="open_meteo")
    with pytest.raises(Invalid, match="shorter"):
        await put_feed(transactions, every=timedelta(minutes=1))
    async with transactions() as tx:
        await forecast_feeds.remove(tx, "north")
        assert await tx.session.scalar(select(ForecastFeedRow)) is None
        with pytest.raises(NotFound):
            await forecast_feeds.get(tx, "north")


async def test_one_failing_site_does_not_keep_the_others_from_their_forecasts(transactions, bus, clock):
    async with transactions() as tx:
        await add_site(tx, "broken", zone="Nowhere/None")
        await add_site(tx, "north")
        await add_readings(tx, 4, site_id="broken")
        await add_readings(tx, 4)
    service, health = Service(httpx.Response(500)), Health()
    loops = asyncio.create_task(ForecastLoops(transactions, bus, health, service.client()).run())
    try:
        async with asyncio.timeout(20):
            while True:
                async with transactions() as tx:
                    found = list(await tx.session.scalars(select(ForecastRow)))
                if found and health.problems():
                    break
                await asyncio.sleep(0.02)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
    assert [row.site_id for row in found] == ["north"]
    assert all(problem.startswith("forecasts broken:") for problem in health.problems())
