"""What is due at many stations, read at once: it must never say that nothing is due where something is."""

from datetime import timedelta

import pytest
from rows import MORNING, add_site, add_station
from sqlalchemy import update

from app.domain.commands import RateUnit
from app.operations import onboarding, standing
from app.operations.onboarding import NEEDS_REBOOT, Due, State, Task, fingerprint_of
from app.store.device import CertificateRow, OnboardingRow
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

DIALECT, WANTED = "ocpp1.6", {"HeartbeatInterval": "300"}


@pytest.fixture
async def park(transactions):
    async with transactions() as tx:
        await add_site(tx)
        for station_id in ("cp1", "cp2"):
            await add_station(tx, station_id, booted_at=MORNING, firmware="1", rate_unit="W")
            station = await tx.session.get_one(StationRow, station_id)
            row = OnboardingRow(
                station_id=station_id,
                fingerprint=fingerprint_of(station, DIALECT, WANTED),
                state=State.DONE,
                capabilities={},
                wanted=WANTED,
                unmet={},
                attempt_count=1,
                started_at=MORNING,
                ended_at=MORNING,
            )
            tx.session.add(row)


async def read(transactions, *station_ids):
    async with transactions() as tx:
        return await standing.of(tx, station_ids)


async def test_stations_where_nothing_is_due_and_those_that_are_gone_are_told_in_their_order(transactions, park):
    first, gone, again = await read(transactions, "cp2", "gone", "cp2")
    assert first == again
    assert gone is None
    assert (first.unit, first.has_limit_work, first.has_certificates) == (RateUnit.W, False, False)
    assert onboarding.is_settled(first, DIALECT, WANTED)


async def test_an_unproven_default_is_work(transactions, park):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).where(EvseRow.station_id == "cp1").values(default_verified_at=None))
    assert [each.has_limit_work for each in await read(transactions, "cp1", "cp2")] == [True, False]


@pytest.mark.parametrize(
    ("state", "is_due"), [("asked", True), ("signed", True), ("delivered", False), ("refused", False)]
)
async def test_a_certificate_is_due_until_it_is_delivered_or_refused(transactions, park, state, is_due):
    async with transactions() as tx:
        tx.session.add(
            CertificateRow(
                station_id="cp1", use="station", csr="", state=state, reason="", asked_at=MORNING, changed_at=MORNING
            )
        )
    assert [each.has_certificates for each in await read(transactions, "cp1", "cp2")] == [is_due, False]


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        ({}, False),
        ({"fingerprint": ""}, True),
        ({"retry_at": MORNING + timedelta(hours=1)}, True),
        ({"unmet": {"HeartbeatInterval": NEEDS_REBOOT}, "ended_at": MORNING - timedelta(hours=1)}, True),
        ({"unmet": {"HeartbeatInterval": NEEDS_REBOOT}}, False),
        ({"unmet": {"HeartbeatInterval": "refused"}, "ended_at": MORNING - timedelta(hours=1)}, False),
    ],
)
async def test_a_station_is_settled_exactly_where_onboarding_finds_nothing_to_do(transactions, park, changes, is_due):
    if changes:
        async with transactions() as tx:
            await tx.session.execute(update(OnboardingRow).where(OnboardingRow.station_id == "cp1").values(**changes))
    (found,) = await read(transactions, "cp1")
    assert onboarding.is_settled(found, DIALECT, WANTED) is not is_due
    async with transactions() as tx:
        assert (await onboarding.due(tx, "cp1", DIALECT, WANTED) != Due(Task.NOTHING)) is is_due


async def test_other_firmware_another_dialect_and_other_wishes_are_a_new_set_up(transactions, park):
    (found,) = await read(transactions, "cp1")
    assert not onboarding.is_settled(found, "ocpp2.0.1", WANTED)
    assert not onboarding.is_settled(found, DIALECT, {"HeartbeatInterval": "60"})
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(StationRow.station_id == "cp1").values(firmware="2"))
    (found,) = await read(transactions, "cp1")
    assert not onboarding.is_settled(found, DIALECT, WANTED)
