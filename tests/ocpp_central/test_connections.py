import asyncio
import json

import pytest
from charger import TIMEOUT_S, plugged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows import CARD, MORNING, add_station
from sqlalchemy import select

from app.bus.subjects import station_command
from app.domain.commands import (
    Accepted,
    ApplyProfile,
    Profile,
    ProfilePeriod,
    ProfilePurpose,
    RateUnit,
    ReadSettings,
    Reboot,
    Rejected,
    StartSession,
    Trigger,
)
from app.domain.errors import Invalid, StationFault, StationOffline, StationTimeout
from app.runtime.clock import SteppedClock
from app.store.session import MeterValueRow, SessionRow
from app.store.station import QuarantineRow, StationRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"
STAMP = MORNING.isoformat()
BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M"}
BOOT_201 = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}


async def rows(transactions, kind):
    async with transactions() as tx:
        return (await tx.session.scalars(select(kind))).all()


async def test_every_message_of_the_core_is_answered(start, park):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        assert (await charger.call("BootNotification", BOOT_16))["status"] == "Accepted"
        assert (await charger.call("Authorize", {"idTag": CARD}))["idTagInfo"] == {"status": "Accepted"}
        assert (await charger.call("Authorize", {"idTag": "nobody"}))["idTagInfo"] == {"status": "Invalid"}
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}
        assert await charger.call("StatusNotification", status) == {}
        assert await charger.call("DataTransfer", {"vendorId": "x"}) == {"status": "UnknownVendorId"}


async def test_meter_values_are_acknowledged_after_their_commit(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        value = {"timestamp": STAMP, "sampledValue": [{"value": "1000"}]}
        assert await charger.call("MeterValues", {"connectorId": 1, "meterValue": [value]}) == {}
        (row,) = await rows(transactions, MeterValueRow)
        assert (row.station_id, row.value, row.unit) == ("cp16", 1000, "Wh")


ODD_STARTS = (
    {},
    {"connectorId": 0},
    {"connectorId": 99},
    {"connectorId": -1},
    {"meterStart": -7},
    {"timestamp": "1970-01-01T00:00:00Z"},
    {"timestamp": "222222017-01-01T00:00:00Z"},
    {"idTag": "x" * 300},
    {"meterStart": "12"},
    {"timestamp": None},
)


async def test_a_start_is_always_answered_with_an_id_1_6_4_8(start, park):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        for change in ODD_STARTS:
            payload = {"connectorId": 1, "idTag": CARD, "meterStart": 0, "timestamp": STAMP} | change
            first = await charger.call("StartTransaction", payload)
            assert type(first["transactionId"]) is int
            assert await charger.call("StartTransaction", payload) == first
        assert central.counts["set_aside"] == 0


async def test_a_stop_is_always_answered_and_kept_1_6_4_10(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        for transaction_id in (0, -1, -(2**31), 5, 2**31):
            stop = {"transactionId": transaction_id, "meterStop": -4, "timestamp": "1970-01-01T00:00:00Z"}
            assert await charger.call("StopTransaction", stop) == {}
        assert await charger.call("StopTransaction", {"meterStop": "x"}) == {}
        assert len(await rows(transactions, QuarantineRow)) >= 6
        assert central.counts["set_aside"] == 0


async def test_a_call_holds_business_time_until_its_answer_has_left(start, park, transactions, bus):
    clock = SteppedClock(MORNING)
    transactions.clock = clock
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Heartbeat", {})
        await clock.quiet(5)
        assert clock.hold_count == 0
        charger.answers["Reset"] = None
        ask = asyncio.create_task(bus.ask(station_command("cp16"), Reboot(), 5))
        await charger.heard("Reset")
        assert clock.hold_count == 1
        await charger.send([3, charger.unanswered[0][0], {"status": "Accepted"}])
        assert await ask == Accepted()
        await clock.quiet(5)


@pytest.mark.parametrize(("station", "dialect", "code"), [("cp16", V16, None), ("cp201", V201, "RpcFrameworkError")])
async def test_a_frame_that_is_no_json_is_ignored_in_1_6_and_answered_in_2_0_1(start, park, station, dialect, code):
    async with start() as central, plugged(central.port, station, dialect) as charger:
        await charger.send("nonsense")
        if code is not None:
            assert (await charger.frame())[:3] == [4, "-1", code]
        assert "currentTime" in await charger.call("Heartbeat", {})
        assert central.counts["malformed_frame"] == 1


async def test_wrong_calls_get_their_error_and_the_connection_stays(start, park):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        assert await charger.refused("Nonsense", {}) == "NotImplemented"
        assert await charger.refused("StartTransaction", {"idTag": "x"}) == "OccurenceConstraintViolation"
        assert await charger.refused("Heartbeat", []) == "FormationViolation"
        assert "currentTime" in await charger.call("Heartbeat", {})


async def test_answers_nobody_waits_for_are_counted_and_ignored(start, park):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.send([3, "never-asked", {}])
        await charger.send([4, "never-asked", "GenericError", "", {}])
        await charger.call("Heartbeat", {})
        assert central.counts["unsolicited_answer"] == 2


async def test_a_frame_beyond_the_bound_closes_the_connection_with_1009(start, park):
    async with start(max_frame_bytes=2000) as central, plugged(central.port, "cp16", V16) as charger:
        await charger.send([2, "a", "DataTransfer", {"vendorId": "x", "data": "x" * 3000}])
        assert (await charger.closed())[0] == 1009


async def test_without_a_database_the_socket_is_closed_with_1013_instead_of_an_error_frame(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Heartbeat", {})
        transactions.is_down = True
        start_tx = {"connectorId": 1, "idTag": CARD, "meterStart": 0, "timestamp": STAMP}
        await charger.send([2, "a", "StartTransaction", start_tx])
        assert (await charger.closed())[0] == 1013
        assert charger.frames.empty()
        transactions.is_down = False


async def test_a_command_is_answered_over_the_bus(start, park, bus):
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        await charger.call("Heartbeat", {})
        charger.errors["GetVariables"] = "InternalError"
        assert await bus.ask(station_command("cp201"), Reboot(), 5) == Accepted()
        with pytest.raises(StationFault, match="InternalError"):
            await bus.ask(station_command("cp201"), ReadSettings(("A.B",)), 5)
        with pytest.raises(Invalid):
            await bus.ask(station_command("cp201"), StartSession(1, "x" * 99, 1), 5)


async def test_only_one_call_is_outstanding_and_the_next_one_waits_its_turn(start, park, bus):
    async with start(call_timeout_s=0.5) as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Heartbeat", {})
        charger.answers["Reset"] = None
        first = asyncio.create_task(bus.ask(station_command("cp16"), Reboot(), 5))
        await charger.heard("Reset")
        second = asyncio.create_task(bus.ask(station_command("cp16"), Trigger("heartbeat"), 5))
        await asyncio.sleep(0.1)
        assert [action for action, _ in charger.calls][-1] == "Reset"
        with pytest.raises(StationTimeout):
            await first
        assert await second == Accepted()


async def test_a_station_that_owes_a_boot_is_asked_for_it_before_anything_else(start, park, transactions, bus):
    async with transactions() as tx:
        await add_station(tx, "fresh", dialect=V16, connection_id=None, needs_boot=True)
    async with start() as central, plugged(central.port, "fresh", V16) as charger:
        ask = asyncio.create_task(_ask_when_served(bus, "fresh", Reboot()))
        (trigger,) = await charger.heard("TriggerMessage")
        assert trigger == {"requestedMessage": "BootNotification"}
        assert [action for action, _ in charger.calls] == ["TriggerMessage"]
        assert (await charger.call("BootNotification", BOOT_16))["status"] == "Accepted"
        assert await ask == Accepted()
    async with start(boot_wait_s=60) as central, plugged(central.port, "fresh", V16):
        assert await _ask_when_served(bus, "fresh", Reboot()) == Accepted()


async def _ask_when_served(bus, station_id, command):
    """Ask as soon as somebody serves the station's commands."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await bus.ask(station_command(station_id), command, 5)
            except StationOffline:
                await asyncio.sleep(0.01)


async def test_a_station_that_never_boots_gets_commands_in_the_end(start, park, transactions, bus):
    async with transactions() as tx:
        await add_station(tx, "mute", dialect=V201, connection_id=None, needs_boot=True)
    async with start(boot_wait_s=0.1) as central, plugged(central.port, "mute", V201) as charger:
        charger.answers["TriggerMessage"] = {"status": "Rejected"}
        assert await _ask_when_served(bus, "mute", Reboot()) == Accepted()


async def test_a_pending_station_is_not_started_remotely_1_6_4_2(start, park, transactions, bus):
    async with transactions() as tx:
        await add_station(tx, "new", dialect=V16, connection_id=None, needs_boot=True, is_commissioned=False)
    default = Profile(1, ProfilePurpose.DEFAULT, 0, RateUnit.A, (ProfilePeriod(0, 6.0),))
    async with start(boot_wait_s=60) as central, plugged(central.port, "new", V16) as charger:
        assert (await charger.call("BootNotification", BOOT_16))["status"] == "Pending"
        for command in (StartSession(1, CARD, 1), ApplyProfile(1, default)):
            assert isinstance(await bus.ask(station_command("new"), command, 5), Rejected)
        assert await bus.ask(station_command("new"), Reboot(), 5) == Accepted()


async def test_a_pending_2_0_1_station_gets_security_error_for_what_nobody_asked_b01_fr_10(
    start, park, transactions, bus
):
    async with transactions() as tx:
        await add_station(tx, "new", dialect=V201, connection_id=None, needs_boot=True, is_commissioned=False)
    status = {"timestamp": STAMP, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    async with start(boot_wait_s=60) as central, plugged(central.port, "new", V201) as charger:
        assert await charger.call("StatusNotification", status) == {}
        assert (await charger.call("BootNotification", BOOT_201))["status"] == "Pending"
        assert await charger.refused("StatusNotification", status) == "SecurityError"
        report = {"requestId": 1, "generatedAt": STAMP, "seqNo": 0}
        assert await charger.call("NotifyReport", report) == {}
        assert await bus.ask(station_command("new"), Trigger("status"), 5) == Accepted()
        assert await charger.call("StatusNotification", status) == {}


async def test_a_station_that_was_removed_meanwhile_is_shown_out(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.call("Heartbeat", {})
        async with transactions() as tx:
            await tx.session.delete(await tx.session.get_one(StationRow, "cp16"))
        await charger.send([2, "a", "Heartbeat", {}])
        assert await charger.closed() == (1008, "no longer provisioned")


FRAMES = st.text(max_size=60) | st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)
CALLS = st.tuples(
    st.sampled_from(
        ["TransactionEvent", "MeterValues", "StatusNotification", "Heartbeat", "Authorize", "DataTransfer"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["evseId", "meterValue", "eventType", "transactionInfo", "timestamp", "evse", "idToken", "seqNo"]
        ),
        st.none() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2),
        max_size=5,
    ),
).map(lambda call: json.dumps([2, "x", *call]))


@given(texts=st.lists(FRAMES | CALLS, min_size=5, max_size=15))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_no_frame_ends_a_session(start, park, texts):
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        for text in texts:
            await charger.send(text)
        await charger.send([2, "last", "Heartbeat", {}])
        async with asyncio.timeout(TIMEOUT_S):
            while (frame := await charger.frame())[1] != "last":
                assert frame[0] in {3, 4}
        assert central.counts["set_aside"] == 0


async def test_a_running_session_is_found_again_after_a_reconnect_without_boot(start, park, transactions):
    async with start() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            start_tx = {"connectorId": 1, "idTag": CARD, "meterStart": 100, "timestamp": STAMP}
            number = (await charger.call("StartTransaction", start_tx))["transactionId"]
            assert 0 < number < 2**31
        async with plugged(central.port, "cp16", V16) as charger:
            stop = {"transactionId": number, "meterStop": 900, "timestamp": STAMP}
            assert await charger.call("StopTransaction", stop) == {}
    (row,) = await rows(transactions, SessionRow)
    assert (row.station_ref, row.ended_at is None) == (str(number), False)


async def test_a_message_that_we_fail_on_is_set_aside_and_answered(start, park, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        await charger.heard("ChangeConfiguration", 2)
        await charger.call("Heartbeat", {})
        await asyncio.sleep(0.5)  # the connection's own loops have found nothing to do
        transactions.broken_count = 1
        assert await charger.call("StopTransaction", {"transactionId": 7, "meterStop": 1, "timestamp": STAMP}) == {}
        (row,) = await rows(transactions, QuarantineRow)
        assert (row.action, row.reason) == ("StopTransaction", "recording it failed: RuntimeError")
        transactions.broken_count = 2
        assert await charger.refused("Heartbeat", {}) == "InternalError"
