"""How long the logbook of a station is kept, and that a driver's card does not outlive the driver in it."""

from datetime import timedelta

import pytest
from rows import CARD, add_driver, add_site, add_station
from sqlalchemy import func, select

from app.domain.errors import NotFound
from app.domain.facts import ReportKind, StationReported
from app.domain.identity import Principal, Role
from app.operations import audit, housekeeping, jobs, reservations
from app.operations.station_facts import record_facts
from app.store import driver_queries
from app.store.upkeep import CommandRow, ReservationRow, StationEventRow, StationJobRow

pytestmark = pytest.mark.database

KEEP = timedelta(days=90)
CALLER = Principal("1", Role.OPERATOR, "Ken")
TABLES = (CommandRow, StationJobRow, StationEventRow, ReservationRow)


@pytest.fixture
async def logbook(transactions):
    """A station with one line in each of its books; returns the driver of the reservation's card."""
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx)
        driver_id = await add_driver(tx)
        await audit.asked(tx, "cp1", CALLER, "ClearCache", {})
        await jobs.open_job(tx, "cp1", "log", {})
        await reservations.reserve(tx, "cp1", 1, CARD, tx.now + timedelta(hours=1))
        await record_facts(tx, "cp1", [StationReported(ReportKind.SECURITY, "Tamper", tx.now, tx.now)])
    return driver_id


async def counts(transactions):
    async with transactions() as tx:
        return [await tx.session.scalar(select(func.count()).select_from(table)) for table in TABLES]


async def test_the_logbook_is_kept_as_long_as_records_are_and_then_goes(transactions, logbook, clock):
    clock.advance(days=89)
    async with transactions() as tx:
        await housekeeping.prune(tx, KEEP)
    assert await counts(transactions) == [1, 1, 1, 1]
    clock.advance(days=2)
    async with transactions() as tx:
        pruned = await housekeeping.prune(tx, KEEP)
    assert {kind for kind, count in pruned.items() if count} >= {"commands", "jobs", "events", "reservations"}
    assert await counts(transactions) == [0, 0, 0, 0]


async def test_a_forgotten_card_leaves_the_reservations(transactions, logbook):
    async with transactions() as tx:
        await driver_queries.forget_cards(tx.session, logbook, [CARD.lower()])
        assert (await tx.session.scalars(select(ReservationRow.token))).all() == [""]


async def test_a_stations_newest_jobs_stay(transactions, logbook, monkeypatch):
    monkeypatch.setattr(jobs, "LONGEST_JOBS_COUNT", 3)
    async with transactions() as tx:
        numbers = [await jobs.open_job(tx, "cp1", "report", {}) for _ in range(4)]
        kept = (await tx.session.scalars(select(StationJobRow.request_id).order_by(StationJobRow.request_id))).all()
    assert kept == numbers[1:]


async def test_nobody_commands_a_station_that_is_not_there(transactions):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await audit.asked(tx, "gone", CALLER, "ClearCache", {})
