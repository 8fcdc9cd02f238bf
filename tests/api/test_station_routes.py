import asyncio
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from app.bus.subjects import site_limits, station_command, station_orders
from app.domain.commands import (
    Accepted,
    ClearProfile,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    Rejected,
    StartSession,
    StopSession,
    Trigger,
    Unsupported,
    WriteSetting,
)
from app.domain.errors import Invalid, StationFault
from app.domain.facts import SessionStarted
from app.domain.identity import Knock, StationAdmitted
from app.operations import admission
from app.operations.setting_gate import check_setting
from app.operations.station_facts import record_facts
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.station import EvseRow, QuarantineRow, StrangerRow

pytestmark = pytest.mark.database

COMMANDS = "/v1/stations/one/commands"


@pytest.fixture
def served(bus):
    """Station `one` as its socket would serve commands: remembers them, answers `answers[0]`."""
    asked, answers = [], [Accepted()]

    async def answer(command):
        asked.append(command)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    with bus.serve(station_command("one"), answer):
        yield asked, answers


async def verify(transactions, station_id="one"):
    async with transactions() as tx:
        await tx.session.execute(
            update(EvseRow).where(EvseRow.station_id == station_id).values(default_verified_at=tx.now)
        )


async def unverified_count(transactions, station_id="one"):
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == station_id))).all()
        return sum(row.default_verified_at is None for row in rows)


async def test_a_provisioned_station_gets_a_key_that_admits_it_and_is_never_shown_again(operator, site, transactions):
    body = {"station_id": "CP*7", "site_id": "north", "dialect": "ocpp2.0.1", "evses": [{"max_current_a": 32.0}] * 2}
    adopted = await operator.ok("POST", "/v1/stations", body, 201)
    assert len(adopted["key"]) == 20
    assert adopted["key"].isalnum()
    assert [evse["evse_number"] for evse in adopted["evses"]] == [1, 2]
    async with transactions() as tx:
        (admitted,) = await admission.admit(tx, [Knock("CP*7", adopted["key"].encode())])
    assert admitted == StationAdmitted("CP*7", "ocpp2.0.1", needs_boot=True)
    shown = await operator.ok("GET", "/v1/stations/CP*7")
    assert adopted["key"] not in str(shown)
    assert (shown["security_profile"], shown["is_online"]) == (1, False)
    again = await operator.send("POST", "/v1/stations", body)
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "station_id"


async def test_adopting_a_stranger_takes_it_from_the_list(operator, site, transactions):
    async with transactions() as tx:
        for identity in ("new", "other"):
            tx.session.add(
                StrangerRow(
                    identity=identity, first_seen_at=tx.now, last_seen_at=tx.now, attempt_count=3, address="10.0.0.9"
                )
            )
    listed = (await operator.ok("GET", "/v1/strangers"))["items"]
    assert [(each["identity"], each["attempt_count"]) for each in listed] == [("new", 3), ("other", 3)]
    body = {"station_id": "new", "site_id": "north", "evses": [{"max_current_a": 32.0}]}
    await operator.ok("POST", "/v1/stations", body, 201)
    assert [each["identity"] for each in (await operator.ok("GET", "/v1/strangers"))["items"]] == ["other"]


async def test_safe_currents_that_the_limit_cannot_bear_are_refused(operator, site):
    evses = [{"max_current_a": 32.0, "phase_count": 3}] * 16
    answer = await operator.send("POST", "/v1/stations", {"station_id": "big", "site_id": "north", "evses": evses})
    assert answer.status_code == 409
    assert "safe currents" in answer.json()["detail"]
    answer = await operator.send("PATCH", "/v1/sites/north", {"limit_kw": 5.9})
    assert answer.status_code == 409
    assert (await operator.ok("GET", "/v1/sites/north"))["limit_kw"] == 60.0


async def test_a_station_shows_what_it_does_and_the_limit_in_force(operator, driver, site, transactions, clock):
    await verify(transactions)
    at = clock.at
    async with transactions() as tx:
        await record_facts(tx, "one", [SessionStarted(2, at, at, None, None, 0.0, "k")])
    async with transactions() as tx:
        session = (await tx.session.scalars(select(SessionRow))).one()
        for power_w, outcome in ((2_000.0, "accepted"), (4_000.0, "accepted"), (5_000.0, None)):
            tx.session.add(
                LimitRow(
                    evse_id=session.evse_id,
                    session_id=session.session_id,
                    power_w=power_w,
                    reason="plan",
                    intended_at=at,
                    ends_at=at.replace(minute=10),
                    outcome=outcome,
                )
            )
            await tx.session.flush()
        await tx.session.execute(
            update(EvseRow).where(EvseRow.evse_id == session.evse_id).values(power_w=3_950.0, metered_at=at)
        )
    free, busy = (await operator.ok("GET", "/v1/stations/one"))["evses"]
    assert (free["limit_kw"], free["is_verified"], free["session_id"]) == (1.2, True, None)
    assert (busy["limit_kw"], busy["power_kw"], busy["session_id"]) == (4.0, 3.95, str(session.session_id))
    clock.advance(minutes=10)
    page = await operator.ok("GET", "/v1/stations?site_id=north&limit=1")
    assert [each["station_id"] for each in page["items"]] == ["one"]
    assert page["items"][0]["evses"][1]["limit_kw"] == 1.2
    assert (await operator.ok("GET", "/v1/stations?site_id=south"))["items"] == []
    rest = await operator.ok("GET", f"/v1/stations?cursor={page['next_cursor']}")
    assert rest["items"][0]["evses"][0]["limit_kw"] is None


async def test_quarantined_messages_are_listed_newest_first(operator, site, transactions):
    async with transactions() as tx:
        for number in range(3):
            tx.session.add(
                QuarantineRow(
                    station_id="one", received_at=tx.now, action="Data", reason=f"odd {number}", payload={"n": number}
                )
            )
            await tx.session.flush()
    page = await operator.ok("GET", "/v1/stations/one/quarantine?limit=2")
    assert [each["reason"] for each in page["items"]] == ["odd 2", "odd 1"]
    rest = await operator.ok("GET", f"/v1/stations/one/quarantine?cursor={page['next_cursor']}")
    assert [each["payload"] for each in rest["items"]] == [{"n": 0}]
    assert (await operator.send("GET", "/v1/stations/none/quarantine")).status_code == 404


async def test_commands_reach_the_station_in_the_houses_words(operator, connected, served):
    asked, _ = served
    for name, body in (
        ("start", {"evse_number": 2, "token": "card1"}),
        ("reset", {"hard": True}),
        ("trigger", {"message": "status", "evse_number": 1}),
        ("read-settings", {"names": ["HeartbeatInterval"]}),
        ("write-setting", {"name": "HeartbeatInterval", "value": "60"}),
        ("clear-profiles", {"purpose": "session"}),
        ("composite-schedule", {"evse_number": 1, "duration_s": 900, "unit": "W"}),
    ):
        assert await operator.ok("POST", f"{COMMANDS}/{name}", body) == {
            "outcome": "accepted",
            "reason": "",
            "detail": {},
        }
    start = asked.pop(0)
    assert isinstance(start, StartSession)
    assert (start.evse_number, start.token) == (2, "CARD1")
    assert 1 <= start.remote_start_id < 2**31
    assert asked == [
        Reboot(hard=True),
        Trigger("status", 1),
        ReadSettings(("HeartbeatInterval",)),
        WriteSetting("HeartbeatInterval", "60"),
        ClearProfile(purpose=ProfilePurpose.SESSION),
        ReadComposite(1, 900, RateUnit.W),
    ]


async def test_a_session_is_stopped_by_its_id_and_only_at_its_station(operator, site, served, transactions, clock):
    at = clock.at
    async with transactions() as tx:
        ref = (await record_facts(tx, "one", [SessionStarted(1, at, at, None, None, 0.0, "k")])).station_ref
    session = (await operator.ok("GET", "/v1/sessions"))["items"][0]
    body = {"session_id": session["session_id"]}
    await operator.ok("POST", f"{COMMANDS}/stop", body)
    assert served[0] == [StopSession(ref)]
    elsewhere = await operator.send("POST", "/v1/stations/two/commands/stop", body)
    assert (elsewhere.status_code, elsewhere.json()["errors"][0]["field"]) == (409, "session_id")
    assert (await operator.send("POST", "/v1/stations/none/commands/stop", body)).status_code == 404


async def test_what_the_station_answers_is_a_normal_answer(operator, site, served):
    for outcome, expected in (
        (Accepted({"values": {"a": "b"}}), {"outcome": "accepted", "reason": "", "detail": {"values": {"a": "b"}}}),
        (Rejected("Occupied"), {"outcome": "rejected", "reason": "Occupied", "detail": {}}),
        (Unsupported("no such feature"), {"outcome": "unsupported", "reason": "no such feature", "detail": {}}),
    ):
        served[1][0] = outcome
        assert await operator.ok("POST", f"{COMMANDS}/read-settings", {}) == expected


async def test_what_the_station_does_not_answer_is_a_problem(operator, connected, served, bus, app, context):
    app.state.api = replace(context, command_timeout_s=0.05)
    served[1][0] = StationFault("FormationViolation")
    answer = await operator.send("POST", f"{COMMANDS}/reset", {})
    assert (answer.status_code, answer.json()["code"]) == (502, "station_fault")

    async def never(command):
        await asyncio.sleep(60)

    with bus.serve(station_command("two"), never):
        answer = await operator.send("POST", "/v1/stations/two/commands/reset", {})
    assert (answer.status_code, answer.json()["code"]) == (504, "station_timeout")
    answer = await operator.send("POST", "/v1/stations/two/commands/reset", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")
    assert (await operator.send("POST", "/v1/stations/none/commands/reset", {})).status_code == 404


@pytest.mark.parametrize("name", ["clear-profiles", "reset"])
async def test_before_and_after_profiles_may_be_lost_the_defaults_are_unproven(
    operator, connected, transactions, bus, clock, name
):
    """Also when the station's session proves them again while the command is on its way."""
    seen = []
    answers = [Accepted(), Rejected("no"), StationFault("broken")]

    async def serve(command):
        seen.append((await unverified_count(transactions), await orders.next(clock.at)))
        await verify(transactions)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    with ExitStack() as stack:
        stack.enter_context(bus.serve(station_command("one"), serve))
        orders = stack.enter_context(bus.listen(station_orders("one")))
        limits = stack.enter_context(bus.listen(site_limits("north")))
        while answers:
            await verify(transactions)
            await operator.send("POST", f"{COMMANDS}/{name}", {})
            assert seen.pop() == (2, False), "counted at nameplate, and nobody asked to prove it yet"
            assert await unverified_count(transactions) == 2
            assert await orders.next(clock.at)
            assert await limits.next(clock.at)
            answers.pop(0)


@pytest.mark.parametrize(
    ("name", "body"), [("clear-profiles", {}), ("reset", {}), ("data-transfer", {"vendor_id": "v"})]
)
async def test_a_command_that_cannot_reach_its_station_costs_it_no_proof(operator, site, transactions, name, body):
    """Else one click would have the rest of the site come down for a station that sits safely at its default."""
    await verify(transactions)
    answer = await operator.send("POST", f"{COMMANDS}/{name}", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")
    assert await unverified_count(transactions) == 0


async def test_harmless_commands_leave_the_proof_alone(operator, site, transactions, served):
    await verify(transactions)
    await operator.ok("POST", f"{COMMANDS}/trigger", {"message": "boot"})
    assert await unverified_count(transactions) == 0


async def test_no_transaction_is_open_while_the_station_thinks(operator, connected, transactions, bus, engine):
    busy = []

    async def serve(command):
        busy.append(engine.pool.checkedout())
        return Accepted()

    with bus.serve(station_command("one"), serve):
        await operator.ok("POST", f"{COMMANDS}/reset", {})
    assert busy == [0]


@pytest.mark.parametrize(
    "name",
    [
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleMaxPeriods",
        "SmartChargingCtrlr.LimitChangeSignificance",
        "SmartChargingCtrlr.Enabled",
        "MaxCurrent",
        "maxchargingpower",
        "ChargingStation.SupplyPhases",
        "LoadBalancing.Enabled",
        "DeratingTemperature",
        "FactoryReset",
        "AuthorizationKey",
        "SecurityCtrlr.BasicAuthPassword",
        "SecurityProfile",
        "OCPPCommCtrlr.NetworkConfigurationPriority",
        "BusAmps",
        "MaxKw",
        "Charger.I_max",
        "max_pwr",
        "BreakerSize",
        "Setpoint",
        "DipSwitch",
        "Authorization Key",
        "auth_key",
        "BasicAuth",
        "csmsUrl",
        "OCPPServer",
        "ＣＵＲＲＥＮＴ",
        "MaxP\u043ewer",
        "MaxPo\u200bwer",
        "Max\tPo\u0007wer",
    ],
)
def test_settings_that_could_raise_a_limit_or_lock_us_out_are_refused(name):
    with pytest.raises(Invalid) as refused:
        check_setting(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "name",
    [
        "HeartbeatInterval",
        "MeterValueSampleInterval",
        "ClockAlignedDataInterval",
        "MeterValuesSampledData",
        "ConnectionTimeOut",
        "LocalPreAuthorize",
        "WebSocketPingInterval",
        "StopTransactionOnEVSideDisconnect",
        "TxCtrlr.EVConnectionTimeOut",
        "AlignedDataCtrlr.Interval",
        "SampledDataCtrlr.TxUpdatedInterval",
        "ClockCtrlr.TimeSource",
        "AlignedDataCtrlr.SendDuringIdle",
        "TimestampsAlways",
        "LampBrightness",
    ],
)
def test_everyday_settings_may_be_written(name):
    check_setting(name)
