from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from fake_central import FakeCentral, credentials
from parks import BOTH, KEY, START_S, connected, park_of, play, plug_in

from simulators.electrical import SiteMeter, Steps
from simulators.evse import Activity

Json = dict[str, Any]


def stamp(offset_s: int) -> str:
    return datetime.fromtimestamp(START_S + offset_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lease(dialect: str, ref: str, limit_a: float) -> tuple[str, Json]:
    schedule = {
        "startSchedule": stamp(0),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}, {"startPeriod": 600, "limit": 6.0}],
    }
    common = {"stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute"}
    if dialect == "ocpp1.6":
        profile = {"chargingProfileId": 2, "transactionId": int(ref), "chargingSchedule": schedule, **common}
        return "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}
    profile = {"id": 2, "transactionId": ref, "chargingSchedule": [{"id": 1, **schedule}], **common}
    return "SetChargingProfile", {"evseId": 1, "chargingProfile": profile}


def charging_states(central: FakeCentral, dialect: str) -> list[str]:
    if dialect == "ocpp1.6":
        return [payload["status"] for payload in central.payloads(dialect, "StatusNotification")]
    infos = [payload["transactionInfo"] for payload in central.payloads(dialect, "TransactionEvent")]
    return [info["chargingState"] for info in infos if "chargingState" in info]


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_short_session_from_boot_to_unplug(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        assert station.is_online
        assert central.actions(dialect)[0] == "BootNotification"
        assert credentials(central.headers[dialect]) == f"{dialect}:{KEY}"
        car = plug_in(station)
        await play(park, 610)
        assert car.delivered_wh > 900, "a factory-fresh station charges at nameplate"
        station.bays[1].unplug()
        await park.act(10)
        assert central.complaints == []
        entry = station.journal.told()["transactions"][0]
        assert (entry["started_at"], entry["ended_at"]) == (stamp(0), stamp(610))
        assert entry["meter_start_wh"] == 1000
        assert entry["meter_stop_wh"] == int(1000 + car.delivered_wh)
        registers = station.journal.told()["registers"]
        assert [at for _, at, _ in registers] == [stamp(offset_s) for offset_s in range(60, 601, 60)]
        assert [wh for _, _, wh in registers] == sorted(wh for _, _, wh in registers)
        assert station.journal.sent_count == station.journal.acked_count == len(central.received)


async def test_the_messages_of_a_1_6_session_come_in_the_standards_order() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp1.6")) as park:
        central.received.clear()
        plug_in(park.stations["ocpp1.6"])
        await play(park, 90)
        park.stations["ocpp1.6"].bays[1].unplug()
        await park.act(10)
        session = ["StatusNotification", "Authorize", "StartTransaction", "StatusNotification", "MeterValues"]
        assert central.actions("ocpp1.6") == [*session, "StopTransaction", *["StatusNotification"] * 2]
        assert charging_states(central, "ocpp1.6") == ["Preparing", "Charging", "Finishing", "Available"]


async def test_the_messages_of_a_2_0_1_session_come_in_the_standards_order() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp2.0.1")) as park:
        central.received.clear()
        plug_in(park.stations["ocpp2.0.1"])
        await play(park, 90)
        park.stations["ocpp2.0.1"].bays[1].unplug()
        await park.act(10)
        events = central.payloads("ocpp2.0.1", "TransactionEvent")
        assert [event["eventType"] for event in events] == ["Started", "Updated", "Updated", "Ended"]
        assert [event["seqNo"] for event in events] == [0, 1, 2, 3]
        assert len({event["transactionInfo"]["transactionId"] for event in events}) == 1
        statuses = [payload["connectorStatus"] for payload in central.payloads("ocpp2.0.1", "StatusNotification")]
        assert statuses == ["Occupied", "Available"]


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_lease_limits_the_car_and_falls_back_to_the_safe_current(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        bay = station.bays[1]
        plug_in(station)
        await play(park, 60)
        assert bay.tx is not None
        assert bay.tx.ref is not None
        assert await central.call(dialect, *lease(dialect, bay.tx.ref, 16.0)) == {"status": "Accepted"}
        await play(park, 30)
        assert round(bay.evse.power_w) == 3200
        assert await central.call(dialect, *lease(dialect, bay.tx.ref, 0.0)) == {"status": "Accepted"}
        await play(park, 30)
        assert bay.evse.power_w == 0
        assert charging_states(central, dialect)[-1] == "SuspendedEVSE"
        await play(park, 600)
        assert round(bay.evse.power_w) == 1200
        assert charging_states(central, dialect)[-1] == "Charging"
        assert (station.journal.limits_received_count, station.journal.limits_accepted_count) == (2, 2)
        assert central.complaints == []


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_full_car_is_reported_as_suspended_by_the_car(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        car = plug_in(park.stations[dialect], need_wh=500)
        await play(park, 1800)
        assert car.is_full
        assert charging_states(central, dialect)[-1] == "SuspendedEV"
        assert park.state()["stations"][0]["state"] == "full"


@pytest.mark.parametrize("dialect", BOTH)
async def test_what_happens_offline_is_queued_and_replayed_in_order(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        plug_in(station)
        await play(park, 90)
        station.stay_away(park.clock.now_s + 480)
        await play(park, 200)
        assert park.state()["stations"][0]["state"] == "offline"
        station.bays[1].unplug()
        queued, acked_before = station.outbox.pending_count, station.journal.acked_count
        central.received.clear()
        await play(park, 300)
        assert station.is_online
        assert central.connection_count == 2
        replay = {"ocpp1.6": [*["MeterValues"] * 3, "StopTransaction"], "ocpp2.0.1": ["TransactionEvent"] * 4}
        assert central.actions(dialect) == [*replay[dialect], "StatusNotification"], "a reconnect is no boot"
        assert (queued, station.journal.acked_count - acked_before) == (4, 5)
        events = central.payloads(dialect, "TransactionEvent")
        assert all(payload["offline"] for payload in events)
        assert [payload["seqNo"] for payload in events] == sorted(payload["seqNo"] for payload in events)
        assert station.journal.told()["transactions"][0]["ended_at"] == stamp(290)
        assert [at for _, at, _ in station.journal.registers] == [stamp(offset_s) for offset_s in (60, 120, 180, 240)]
        assert station.outbox.lost_count == 0
        assert central.complaints == []


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_session_begun_offline_is_told_later(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        station.stay_away(park.clock.now_s + 300)
        await park.act(10)
        plug_in(station)
        await play(park, 120)
        assert station.bays[1].evse.power_w > 0
        await play(park, 240)
        entry = station.journal.told()["transactions"][0]
        assert entry["started_at"] == stamp(0)
        assert len(station.journal.registers) == 6
        assert central.complaints == []


async def test_an_error_frame_is_answered_with_a_later_retry_and_the_rest_waits() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp1.6")) as park:
        central.errors["StartTransaction"] = 2
        station = park.stations["ocpp1.6"]
        plug_in(station)
        await play(park, 400)
        starts = central.payloads("ocpp1.6", "StartTransaction")
        assert len(starts) == 3
        assert starts[0] == starts[1] == starts[2]
        meters = central.payloads("ocpp1.6", "MeterValues")
        assert all("transactionId" in payload for payload in meters), "they waited for the start's answer"
        assert len(meters) == 6
        assert station.outbox.lost_count == 0


async def test_a_message_that_is_refused_for_good_is_counted_as_lost() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp2.0.1")) as park:
        central.errors["TransactionEvent"] = 3
        plug_in(park.stations["ocpp2.0.1"])
        await play(park, 400)
        assert park.stations["ocpp2.0.1"].outbox.lost_count == 1


async def test_a_call_without_an_answer_costs_the_line_not_the_message() -> None:
    async with FakeCentral() as central:
        park = park_of(central.url, "ocpp1.6")
        park.links["ocpp1.6"]._call_timeout_s = 0.2
        async with connected(park):
            central.silent.add("StartTransaction")
            plug_in(park.stations["ocpp1.6"])
            await play(park, 5)
            central.silent.clear()
            await play(park, 200)
            assert central.connection_count == 2
            assert len(central.payloads("ocpp1.6", "StartTransaction")) == 2
            assert len(park.stations["ocpp1.6"].journal.transactions) == 1


async def test_pending_and_rejected_boots_are_repeated_after_their_interval() -> None:
    async with FakeCentral() as central:
        central.boot_statuses = ["Pending", "Rejected"]
        async with connected(park_of(central.url, "ocpp1.6")) as park:
            station = park.stations["ocpp1.6"]
            assert not station.is_online
            await play(park, 299)
            assert central.actions("ocpp1.6") == ["BootNotification"]
            await play(park, 1)
            assert station.boot_status == "Rejected"
            await play(park, 300)
            assert station.is_online
            assert central.actions("ocpp1.6") == ["BootNotification"] * 3 + ["StatusNotification"] * 2


async def test_an_unauthorised_token_does_not_charge() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, *BOTH)) as park:
        invalid = {"status": "Invalid"}
        central.answers["Authorize"] = lambda p: {"idTagInfo": invalid} if "idTag" in p else {"idTokenInfo": invalid}
        for station in park.stations.values():
            plug_in(station)
        await play(park, 120)
        assert {station.bays[1].activity for station in park.stations.values()} == {Activity.CONNECTED}
        assert not [what for _, what, _ in central.received if what in {"StartTransaction", "TransactionEvent"}]


async def test_a_transaction_whose_token_is_refused_is_ended() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp1.6")) as park:
        central.answers["StartTransaction"] = lambda _: {"transactionId": 5, "idTagInfo": {"status": "Blocked"}}
        plug_in(park.stations["ocpp1.6"])
        await play(park, 60)
        assert central.payloads("ocpp1.6", "StopTransaction")[0]["reason"] == "DeAuthorized"
        assert park.stations["ocpp1.6"].bays[1].evse.power_w == 0


async def test_heartbeats_come_only_when_nothing_else_was_sent() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, "ocpp1.6")) as park:
        await play(park, 900)
        assert central.actions("ocpp1.6").count("Heartbeat") == 3
        plug_in(park.stations["ocpp1.6"])
        await play(park, 900)
        assert central.actions("ocpp1.6").count("Heartbeat") == 3


async def test_a_deliberately_over_limit_park_is_counted_as_a_violation() -> None:
    surplus = Steps(START_S, 900, np.full(4, 3000.0))
    meter = SiteMeter(START_S, START_S + 3600, surplus, limit_w=10_000)
    async with FakeCentral() as central, connected(park_of(central.url, *BOTH, meter=meter)) as park:
        for station in park.stations.values():
            plug_in(station)
        await play(park, 600)
        state = park.state()
        assert state["violations"] == 1
        assert (state["ev_w"], state["solar_w"], state["grid_w"]) == (12_000, 3000, 9000)
        assert round(meter.peak_w) == 12_000
        registers_wh = sum(station.bays[1].evse.register_wh - 1000 for station in park.stations.values())
        assert abs(meter.delivered_wh - registers_wh) < 0.01


async def test_a_wrong_address_is_no_crash_and_is_tried_again() -> None:
    park = park_of("ws://127.0.0.1:1/ocpp", "ocpp1.6")
    async with connected(park):
        assert not park.stations["ocpp1.6"].is_online
        trouble = park.links["ocpp1.6"].trouble
        assert trouble is not None
        assert KEY not in trouble
        assert park.agenda.next_s() == START_S + 10
