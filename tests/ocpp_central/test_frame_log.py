"""The message log behind real sockets."""

import asyncio

import pytest
from charger import TIMEOUT_S, plugged
from rows import CARD, MORNING
from sqlalchemy import select

from app.bus.subjects import station_command
from app.domain.commands import Accepted, Reboot
from app.ocpp_central import frame_log
from app.ocpp_central.frame_log import FrameLog, Noted
from app.ocpp_central.rpc import Call
from app.store.frames import FrameRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"


async def logged(transactions, enough, station_id="cp16"):
    """Wait until what is stored of a station is enough; return it, oldest first."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            async with transactions() as tx:
                query = select(FrameRow).where(FrameRow.station_id == station_id).order_by(FrameRow.frame_id)
                rows = (await tx.session.scalars(query)).all()
            if enough(rows):
                return rows
            await asyncio.sleep(0.05)


def holds(**wanted):
    return lambda rows: any(all(getattr(row, name) == value for name, value in wanted.items()) for row in rows)


async def test_every_frame_is_listed_in_its_order_with_its_calls_action(start, park, transactions, bus):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Authorize", {"idTag": CARD})
        await charger.refused("Nonsense", {})
        await charger.send("nonsense")
        await charger.call("Heartbeat", {})
        assert await bus.ask(station_command("cp16"), Reboot(), 5) == Accepted()
    rows = await logged(transactions, holds(action="closed"))
    set_up = {"ChangeConfiguration", "GetConfiguration"}  # goes on beside it, whenever it comes
    told = [(row.direction, row.kind, row.action) for row in rows if row.action not in set_up]
    assert told == [
        ("in", "event", "connected"),
        ("in", "call", "Authorize"),
        ("out", "result", "Authorize"),
        ("in", "call", "Nonsense"),
        ("out", "error", "Nonsense"),
        ("in", "malformed", "frame"),
        ("in", "call", "Heartbeat"),
        ("out", "result", "Heartbeat"),
        ("out", "call", "Reset"),
        ("in", "result", "Reset"),
        ("in", "event", "closed"),
    ]
    ids = {row.message_id for row in rows if row.action == "Reset"}
    assert len(ids) == 1
    assert {row.at for row in rows} == {MORNING}


@pytest.mark.ocpp("1.6", "Authorize")
async def test_tokens_are_stored_by_their_last_four_characters(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Authorize", {"idTag": "04A1B2C3D4"})
        rows = await logged(transactions, holds(action="Authorize", kind="call"))
    assert not any("04A1B2" in row.text for row in rows)
    assert any('"idTag": "…C3D4"' in row.text for row in rows)


async def test_answers_do_not_wait_for_the_log_and_a_gap_is_told(park, transactions):
    log = FrameLog(transactions, 100)
    frames = log.of("cp16")
    async with log.writing():
        transactions.is_down = True
        frames.called(Call("a", "Reset", {}), "[]")
        async with asyncio.timeout(TIMEOUT_S):
            while not log.missed_count:  # noqa: ASYNC110 - the writer tells nobody
                await asyncio.sleep(0.02)
        transactions.is_down = False
        frames.called(Call("b", "Reset", {}), "[]")
    (gap, reset) = await logged(transactions, lambda rows: len(rows) == 2)
    assert (gap.kind, gap.action, gap.text) == ("event", "gap", "1 frames before this line were not logged")
    assert reset.message_id == "b"


async def test_a_full_queue_drops_and_counts(park, transactions, monkeypatch):
    monkeypatch.setattr(frame_log, "CAPACITY_COUNT", 3)
    log = FrameLog(transactions, 100)
    frames = log.of("cp16")
    for number in range(5):
        frames.called(Call(str(number), "Reset", {}), "[]")
    assert log.missed_count == 2
    async with log.writing():
        pass
    rows = await logged(transactions, lambda rows: len(rows) == 4)
    assert [row.message_id for row in rows] == ["", "0", "1", "2"]


async def test_secrets_are_taken_out_before_a_frame_is_stored_and_never_shown_before(park, transactions):
    log = FrameLog(transactions, 100)
    text = '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"s3cret"}]'
    noted = Noted("cp16", MORNING, "out", "call", "ChangeConfiguration", "a", text)
    assert "s3cret" not in repr(noted)
    for _ in range(50):
        log.note(noted)
    async with log.writing():
        pass
    rows = await logged(transactions, lambda rows: len(rows) == 50)
    assert {row.text for row in rows} == {text.replace("s3cret", "***")}


async def test_a_queue_of_long_frames_is_full_earlier(park, transactions, monkeypatch):
    monkeypatch.setattr(frame_log, "MOST_CHARACTERS_COUNT", 25)
    log = FrameLog(transactions, 100)
    frames = log.of("cp16")
    for number in range(5):
        frames.called(Call(str(number), "Reset", {}), "0123456789")
    assert log.missed_count == 2
    async with log.writing():
        pass
    frames.called(Call("later", "Reset", {}), "0123456789")
    async with log.writing():
        pass
    rows = await logged(transactions, lambda rows: len(rows) == 5)
    assert [row.message_id for row in rows] == ["", "0", "1", "2", "later"]


async def test_only_the_newest_frames_of_a_station_stay(park, transactions, monkeypatch):
    monkeypatch.setattr(frame_log, "TRIM_EVERY_COUNT", 20)
    log = FrameLog(transactions, 10)
    for station_id in ("cp16", "cp201"):
        frames = log.of(station_id)
        for number in range(25 if station_id == "cp16" else 5):
            frames.called(Call(str(number), "Reset", {}), "[]")
    async with log.writing():
        pass
    log.of("cp16").called(Call("last", "Reset", {}), "[]")
    async with log.writing():
        pass
    rows = await logged(transactions, lambda rows: len(rows) < 15)
    assert [row.message_id for row in rows] == [*map(str, range(16, 25)), "last"]
    assert len(await logged(transactions, lambda rows: True, "cp201")) == 5


async def test_without_a_bound_nothing_is_kept(park, transactions):
    log = FrameLog(transactions, 0)
    log.of("cp16").called(Call("a", "Reset", {}), "[]")
    async with log.writing():
        pass
    assert await logged(transactions, lambda rows: True) == []
    assert log.missed_count == 0


async def test_odd_characters_and_ids_are_stored(start, park, transactions):
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        await charger.send([2, "x" * 200, "Heartbeat", {"customData": {"vendorId": "\u0000é"}}])
        await charger.frame()
        await charger.send(b"\x00\x01")
        rows = await logged(transactions, holds(kind="malformed"), "cp201")
    assert any(row.message_id == "x" * 64 for row in rows)
    assert any(row.text == "(binary, 2 bytes)" for row in rows)
