"""What is counted of odd messages, by model."""

import pytest
from charger import plugged
from rows import CARD, MORNING, add_station
from sqlalchemy import select

from app.ocpp_central.repair_book import RepairBook
from app.operations import repairs
from app.store.frames import RepairRow

pytestmark = pytest.mark.database

V16 = "ocpp1.6"
MODEL = {"vendor": "Acme", "model": "Box", "firmware": "1.2"}


async def counted(transactions):
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(RepairRow))).all()
    return {(row.vendor, row.model, row.firmware, row.repair): row.count for row in rows}


@pytest.fixture
async def acme(park, transactions):
    async with transactions() as tx:
        await add_station(tx, "acme", dialect=V16, connection_id=None, **MODEL)
        await add_station(tx, "acme2", dialect=V16, connection_id=None, **MODEL)


@pytest.mark.ocpp("1.6", "MeterValues", "StartTransaction", "StopTransaction")
async def test_repairs_refusals_and_doubts_are_counted_for_the_model(start, acme, transactions):
    async with start() as central, plugged(central.port, "acme", V16) as charger:
        value = {"timestamp": MORNING.isoformat(), "sampledValue": [{"value": 1000}]}
        for _ in range(2):
            await charger.call("MeterValues", {"connectorId": 1, "meterValue": [value]})
        await charger.refused("Nonsense", {})
        status = {"connectorId": 9, "status": "Available", "errorCode": "NoError"}
        await charger.call("StatusNotification", status)
        await charger.call("StopTransaction", {"transactionId": 77, "meterStop": 1, "timestamp": MORNING.isoformat()})
        await charger.send("nonsense")
        start_tx = {"connectorId": 1, "idTag": CARD, "meterStart": "7", "timestamp": MORNING.isoformat()}
        await charger.call("StartTransaction", start_tx)
    assert await counted(transactions) == {
        ("Acme", "Box", "1.2", "malformed_frame"): 1,
        ("Acme", "Box", "1.2", "number_for_text"): 2,
        ("Acme", "Box", "1.2", "quarantined: the end of an unknown session"): 1,
        ("Acme", "Box", "1.2", "quarantined: the station has no EVSE …"): 1,
        ("Acme", "Box", "1.2", "refused_not_implemented"): 1,
        ("Acme", "Box", "1.2", "text_for_number"): 1,
    }


@pytest.mark.ocpp("1.6", "MeterValues")
async def test_doubts_about_meter_values_that_shared_a_commit_are_counted_too(start, acme, transactions):
    value = {"timestamp": MORNING.isoformat(), "sampledValue": [{"value": "1000"}]}
    async with start() as central, plugged(central.port, "acme", V16) as charger:
        await charger.call("MeterValues", {"connectorId": 7, "meterValue": [value]})
    assert await counted(transactions) == {("Acme", "Box", "1.2", "quarantined: the station has no EVSE …"): 1}


async def test_stations_of_one_model_count_together_and_before_a_boot_nobody_knows_it(acme, transactions):
    book = RepairBook(transactions)
    async with book.writing():
        book.note("acme", "null_dropped")
    async with book.writing():
        book.note("acme", "null_dropped", 2)
        book.note("acme2", "null_dropped")
        book.note("cp16", "null_dropped")
        book.note("nobody", "null_dropped")
    assert await counted(transactions) == {
        ("Acme", "Box", "1.2", "null_dropped"): 4,
        ("unknown", "unknown", "unknown", "null_dropped"): 1,
    }


async def test_counts_wait_for_the_database(acme, transactions):
    book = RepairBook(transactions)
    book.note("acme", "null_dropped")
    transactions.is_down = True
    await book.write()
    transactions.is_down = False
    await book.write()
    assert list((await counted(transactions)).values()) == [1]


async def test_a_model_cannot_fill_the_table(acme, transactions):
    async with transactions() as tx:
        for _ in range(2):
            await repairs.record(tx, {("acme", f"odd {number}"): 1 for number in range(300)})
    found = await counted(transactions)
    assert len(found) == repairs.MOST_KINDS_COUNT + 1
    assert found["Acme", "Box", "1.2", "other"] == 200
