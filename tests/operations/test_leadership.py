"""Rule R9: one house leads a site, and the database refuses what any other decided."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from rows import add_driver, add_site, add_station
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.domain.errors import DatabaseUnavailable, Fenced
from app.domain.facts import SessionStarted
from app.operations import leadership
from app.operations.station_facts import record_facts
from app.store.electrical import SiteLeaderRow
from app.store.plan import LimitRow
from app.store.session import SessionRow

pytestmark = pytest.mark.database

SHORT = timedelta(milliseconds=50)


@pytest.fixture
async def site(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
        await add_station(tx)
        await record_facts(tx, "cp1", [SessionStarted(1, tx.now, tx.now, "tx-1", "CARD-1", 0.0, "start")])


@pytest.fixture
def lives(engine):
    """A house that is present while the context lasts."""

    @asynccontextmanager
    async def lives(house):
        alone = create_async_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with alone.connect() as connection:
            await leadership.be_present(connection, house)
            yield connection
        await alone.dispose()

    return lives


async def lead(transactions, house, lease=leadership.LEASE):
    async with transactions() as tx:
        return await leadership.lead(tx, "north", house, lease)


async def entry(tx, term):
    session = (await tx.session.scalars(select(SessionRow))).one()
    return LimitRow(
        evse_id=session.evse_id,
        session_id=session.session_id,
        power_w=1000.0,
        reason="raise",
        intended_at=tx.now,
        ends_at=tx.now + timedelta(minutes=10),
        term=term,
    )


async def write(transactions, term):
    async with transactions() as tx:
        tx.session.add(await entry(tx, term))


async def count(transactions):
    async with transactions() as tx:
        return await tx.session.scalar(select(func.count()).select_from(LimitRow))


async def impatiently(engine, statement):
    async with engine.begin() as second:
        await second.execute(text("SET LOCAL lock_timeout = '100ms'"))
        await second.execute(statement)


async def freeze_in_a_cycle(transactions):
    async with transactions() as tx:
        assert await leadership.lead(tx, "north", "one", SHORT) == 1
        await tx.session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '100ms'"))
        await asyncio.sleep(0.3)  # nothing is said to the database
        tx.session.add(await entry(tx, 1))


async def test_a_house_leads_a_site_at_once_when_nobody_does(site, transactions):
    assert await lead(transactions, "one") == 1
    assert await lead(transactions, "one") == 1


async def test_a_living_leader_is_not_replaced(site, transactions, lives):
    async with lives("one"):
        assert await lead(transactions, "one") == 1
        assert await lead(transactions, "two") is None
        assert await lead(transactions, "one") == 1


async def test_a_killed_leader_is_replaced_at_once_under_the_next_term(site, transactions, lives):
    async with lives("one"):
        await lead(transactions, "one")
    assert await lead(transactions, "two") == 2
    assert await lead(transactions, "two") == 2


async def test_a_leader_that_lives_but_does_not_work_is_replaced_at_the_end_of_its_lease(site, transactions, lives):
    async with lives("one"), lives("two"):
        assert await lead(transactions, "one", SHORT) == 1
        assert await lead(transactions, "one", SHORT) == 1
        await asyncio.sleep(2 * SHORT.total_seconds())
        assert await lead(transactions, "two") == 2
        assert await lead(transactions, "one") is None


async def test_an_ended_lease_that_nobody_took_goes_on_under_its_term(site, transactions, lives):
    async with lives("one"), lives("two"):
        await lead(transactions, "one", SHORT)
        await asyncio.sleep(2 * SHORT.total_seconds())
        assert await lead(transactions, "one") == 1
        assert await lead(transactions, "two") is None


async def test_a_lease_is_written_only_when_half_of_it_is_over(site, transactions):
    async def ends_at():
        async with transactions() as tx:
            return await tx.session.scalar(select(SiteLeaderRow.ends_at))

    await lead(transactions, "one")
    first = await ends_at()
    await lead(transactions, "one")
    assert await ends_at() == first
    await lead(transactions, "one", 3 * leadership.LEASE)
    assert await ends_at() > first


async def test_a_house_that_stands_by_waits_for_no_lock(site, transactions, lives):
    async with lives("one"):
        await lead(transactions, "one")
        async with transactions() as tx:
            await leadership.lead(tx, "north", "one")  # and holds the site's lock
            async with asyncio.timeout(5):
                assert await lead(transactions, "two") is None


async def test_only_one_of_two_that_see_a_dead_leader_takes_over(site, transactions, lives):
    async with lives("one"):
        await lead(transactions, "one")
    async with lives("two"), lives("three"):
        terms = await asyncio.gather(lead(transactions, "two"), lead(transactions, "three"))
    assert sorted(terms, key=str) == [2, None]


async def test_an_old_leader_that_wakes_up_is_refused_by_the_database(site, transactions, lives):
    async with lives("one"):
        term = await lead(transactions, "one")
    await write(transactions, term)
    await lead(transactions, "two")
    with pytest.raises(Fenced):
        await write(transactions, term)
    assert await count(transactions) == 1
    await write(transactions, 2)


async def test_a_row_of_another_term_takes_the_whole_statement_with_it(site, transactions):
    await lead(transactions, "one")
    with pytest.raises(Fenced):
        async with transactions() as tx:
            tx.session.add_all([await entry(tx, 1), await entry(tx, 7)])
    assert await count(transactions) == 0


async def test_without_any_leader_limits_are_of_term_0(site, transactions):
    async with transactions() as tx:
        assert await leadership.term_of(tx.session, "north") == 0
    await write(transactions, 0)
    with pytest.raises(Fenced):
        await write(transactions, 1)


async def test_the_term_is_not_raised_before_what_was_written_under_it_is_committed(site, transactions, engine):
    """A real second connection, beside the site's lock: the new term has to wait for the old one's last commit."""
    await lead(transactions, "one")
    raising = update(SiteLeaderRow).values(term=2, holder="two")
    async with transactions() as tx:
        tx.session.add(await entry(tx, 1))
        await tx.session.flush()
        with pytest.raises(DBAPIError, match="lock timeout"):
            await impatiently(engine, raising)
    async with engine.begin() as second:
        await second.execute(raising)
    with pytest.raises(Fenced):
        await write(transactions, 1)
    assert await count(transactions) == 1


async def test_a_leader_that_is_frozen_in_the_middle_of_a_cycle_loses_its_transaction_and_the_lock(
    site, transactions, lives
):
    async with lives("one"), lives("two"):
        with pytest.raises(DatabaseUnavailable):
            await freeze_in_a_cycle(transactions)
        assert await lead(transactions, "two") == 1  # not even its lead was committed
    assert await count(transactions) == 0


async def test_a_cycle_ends_by_itself_where_its_house_is_frozen(site, transactions):
    async with transactions() as tx:
        await leadership.lead(tx, "north", "one")
        assert await tx.session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"
    async with transactions() as tx:
        assert await tx.session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "0"


async def test_a_house_is_alone_until_another_one_is_present(transactions, lives):
    async with transactions() as tx:
        assert await leadership.is_alone(tx)
    async with lives("one"), transactions() as tx:
        assert not await leadership.is_alone(tx)
