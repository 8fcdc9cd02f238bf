"""What stations say about themselves is kept, bounded, and read in pages."""

import pytest
from rows import add_site, add_station
from sqlalchemy import select

from app.domain.device import Variable, VariableFilter, named
from app.domain.facts import VariablesReported
from app.domain.pages import PageAsked
from app.domain.upkeep import ReportBase
from app.operations import device_model
from app.operations.device_model import MOST_VARIABLES_COUNT
from app.operations.station_facts import record_facts
from app.store.upkeep import StationJobRow

pytestmark = pytest.mark.database


@pytest.fixture
async def report(transactions):
    """Ask for a report; hand in parts of it by number."""
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx)
        request_id = await device_model.open_report(tx, "cp1", ReportBase.FULL)

    async def part(seq_no, *variables, is_last=False, of=request_id):
        async with transactions() as tx:
            await record_facts(tx, "cp1", [VariablesReported(tx.now, tx.now, of, seq_no, is_last, tuple(variables))])
        async with transactions() as tx:
            return (await tx.session.get_one(StationJobRow, request_id)).status

    return part


async def test_a_report_is_done_when_no_part_is_missing(report):
    assert await report(2, is_last=True) == "reporting"
    assert await report(0) == "reporting"
    assert await report(0) == "reporting"
    assert await report(1) == "done"


async def test_a_station_that_counts_nothing_is_done_with_its_last_part(report):
    assert await report(0) == "reporting"
    assert await report(0, is_last=True) == "done"


async def test_parts_of_a_report_that_nobody_asked_for_are_kept(report, transactions):
    assert await report(0, Variable("A", "B", "1"), is_last=True, of=99) == "sent"
    async with transactions() as tx:
        assert await device_model.variables_of(tx, "cp1") == (Variable("A", "B", "1"),)


async def test_absurd_part_numbers_are_bounded(report):
    assert await report(2**31 - 1) == "reporting"
    assert await report(-5) == "reporting"


async def test_the_newest_value_counts_and_a_full_model_still_takes_it(transactions, report):
    many = [Variable("C", f"v{number}", "old") for number in range(MOST_VARIABLES_COUNT + 10)]
    async with transactions() as tx:
        await device_model.store(tx, "cp1", many)
        await device_model.store(tx, "cp1", [Variable("C", "v0", "new"), Variable("D", "x", "1")])
    async with transactions() as tx:
        kept = {each.name: each.value for each in await device_model.variables_of(tx, "cp1")}
    assert len(kept) == MOST_VARIABLES_COUNT
    assert (kept["C.v0"], kept.get("D.x")) == ("new", None)


@pytest.mark.parametrize(
    ("variable", "kept"),
    [
        (Variable("", "AuthorizationKey", "hunter2hunter2hunter2"), "(left out)"),
        (Variable("SecurityCtrlr", "BasicAuthPassword", "hunter2"), "(left out)"),
        (Variable("", "WifiPSK", "hunter2"), "(left out)"),
        (Variable("", "CentralUrl", "wss://user:hunter2@host/ocpp"), "wss://(left out)@host/ocpp"),
        (Variable("", "HeartbeatInterval", "300"), "300"),
    ],
)
async def test_secrets_that_a_station_tells_are_not_kept(transactions, report, variable, kept):
    async with transactions() as tx:
        await device_model.store(tx, "cp1", [variable])
        assert [each.value for each in await device_model.variables_of(tx, "cp1")] == [kept]


async def test_variables_are_listed_in_pages_and_filtered(transactions, report):
    told = [Variable("EVSE", "Power", "1", evse_number=number) for number in (2, 1)]
    async with transactions() as tx:
        await device_model.store(tx, "cp1", [*told, Variable("Ctrlr", "Power", "0"), Variable("Ctrlr", "Other", "0")])
    async with transactions() as tx:
        first = await device_model.variables(tx, "cp1", PageAsked(3), VariableFilter())
        second = await device_model.variables(tx, "cp1", PageAsked(3, first.next_cursor), VariableFilter())
        assert [(row.variable, row.evse_number) for row in (*first.items, *second.items)] == [
            ("Other", 0),
            ("Power", 0),
            ("Power", 1),
            ("Power", 2),
        ]
        chosen = await device_model.variables(tx, "cp1", PageAsked(), VariableFilter("EVSE", "Power", 2))
        assert [row.evse_number for row in chosen.items] == [2]


async def test_a_report_that_was_given_up_stays_so(transactions, report):
    async with transactions() as tx:
        job = (await tx.session.scalars(select(StationJobRow))).one()
        await device_model.close_report(tx, job.request_id, "incomplete")
    assert await report(0, is_last=True) == "incomplete"


@pytest.mark.parametrize("name", ["A.B", "A[x].B[y.z]", "A.B[TransactionEvent]"])
def test_a_name_and_its_variable_are_one(name):
    assert named(name).name == name


@pytest.mark.parametrize("name", ["", "A", ".B", "A.", "A.B.C", "A[].B", "A.B[x"])
def test_what_names_no_variable_is_told(name):
    with pytest.raises(ValueError, match="Component"):
        named(name)
