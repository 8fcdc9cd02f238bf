"""How long every reading of a fast meter is kept."""

from datetime import timedelta

import pytest
from rows import MORNING, add_site
from sqlalchemy import select

from app.operations import housekeeping
from app.store.site import SiteReadingRow

pytestmark = pytest.mark.database

KEEP = timedelta(days=400)


async def test_after_five_weeks_one_reading_a_minute_stays_with_the_minutes_means(transactions, clock):
    async with transactions() as tx:
        await add_site(tx)
        for second in range(10, 181, 10):
            values = {"pv_w": float(second), "building_w": 2.0 * second, "loads": {"panel": {"w": 1.0}}}
            at = MORNING + timedelta(seconds=second)
            tx.session.add(SiteReadingRow(site_id="north", at=at, received_at=at, **values))
    clock.at = MORNING + timedelta(days=35, minutes=1, seconds=1)
    async with transactions() as tx:
        assert (await housekeeping.prune(tx, KEEP))["fine_readings"] == 5
        rows = (await tx.session.scalars(select(SiteReadingRow).order_by(SiteReadingRow.at))).all()
    assert len(rows) == 13
    first, second = rows[:2]
    assert (first.at, first.pv_w, first.building_w) == (MORNING + timedelta(minutes=1), 35.0, 70.0)
    assert (first.loads, first.grid_w) == (None, None)
    assert (second.pv_w, second.loads) == (70.0, {"panel": {"w": 1.0}})
    async with transactions() as tx:
        assert (await housekeeping.prune(tx, KEEP))["fine_readings"] == 0
