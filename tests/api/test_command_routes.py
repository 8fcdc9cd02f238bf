"""Every typed command: which words reach the station, what comes back, what is refused, and what the audit keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.bus.subjects import station_command
from app.domain.commands import Accepted, ClearProfile, ReadSettings, Rejected, Trigger, Unsupported
from app.domain.device import Variable
from app.domain.errors import StationFault, StationTimeout
from app.domain.facts import ReportKind, SessionStarted, StationReported, TokenStatus
from app.domain.monitors import (
    ClearMonitors,
    Monitor,
    MonitoringBase,
    MonitorKind,
    ReadMonitors,
    SetMonitoringBase,
    SetMonitoringLevel,
    SetMonitors,
)
from app.domain.upkeep import (
    AskCustomerInformation,
    CancelReservation,
    CertificateHash,
    ClearCache,
    DeleteCertificate,
    FetchLog,
    InstallCertificate,
    LocalListEntry,
    LogKind,
    ReadCertificates,
    ReadLocalListVersion,
    ReadProfiles,
    ReadReport,
    ReadSessionStatus,
    ReadVariables,
    ReportBase,
    Reserve,
    RootUse,
    SendLocalList,
    SendVendorMessage,
    SetAvailability,
    Unlock,
    UpdateFirmware,
)
from app.operations.station_facts import record_facts
from app.store.device import VariableRow
from app.store.driver import TokenRow
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

COMMANDS = "/v1/stations/one/commands"
LOGBOOK = "/v1/stations/one"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ==\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"
AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
STAMP = "2026-04-01T12:00:00Z"
HASH = {"algorithm": "SHA256", "issuer_name_hash": "ab12", "issuer_key_hash": "cd34", "serial_number": "0f"}
MONITOR = {"component": "EVSE", "variable": "Power", "kind": "upper_threshold", "value": 7000, "severity": 4}


class Station:
    """Station `one` as its socket would serve commands; `answers` by command class, else accepted."""

    def __init__(self) -> None:
        self.asked = []
        self.answers = {}

    async def answer(self, command):
        self.asked.append(command)
        answer = self.answers.get(type(command), Accepted())
        if callable(answer):
            answer = answer(command)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def station(bus, connected):
    station = Station()

    async def serve(command):
        return await station.answer(command)

    with bus.serve(station_command("one"), serve):
        yield station


PLAIN = [
    ("trigger", {"message": "sign_certificate"}, Trigger("sign_certificate")),
    ("trigger", {"message": "diagnostics_status"}, Trigger("diagnostics_status")),
    ("unlock", {"evse_number": 2}, Unlock(2, 1)),
    ("availability", {"evse_number": 0, "is_operative": False}, SetAvailability(0, False)),
    ("session-status", {}, ReadSessionStatus()),
    ("clear-cache", None, ClearCache()),
    ("local-list-version", None, ReadLocalListVersion()),
    (
        "data-transfer",
        {"vendor_id": "jp.co.v", "message_id": "m", "data": "{}"},
        SendVendorMessage("jp.co.v", "m", "{}"),
    ),
    (
        "install-certificate",
        {"use": "manufacturer", "certificate": CERTIFICATE},
        InstallCertificate(RootUse.MANUFACTURER, CERTIFICATE),
    ),
    ("delete-certificate", HASH, DeleteCertificate(CertificateHash("SHA256", "ab12", "cd34", "0f"))),
    ("read-certificates", {"use": "v2g"}, ReadCertificates(RootUse.V2G)),
    ("set-monitoring-base", {"base": "factory"}, SetMonitoringBase(MonitoringBase.FACTORY)),
    ("set-monitoring-level", {"severity": 5}, SetMonitoringLevel(5)),
    (
        "set-monitors",
        {"monitors": [MONITOR]},
        SetMonitors((Monitor(Variable("EVSE", "Power", None), MonitorKind.UPPER_THRESHOLD, "7000", 4),)),
    ),
    ("clear-monitors", {"monitor_ids": [3, 4]}, ClearMonitors((3, 4))),
]


@pytest.mark.parametrize(("name", "body", "command"), PLAIN, ids=[f"{name} {command}" for name, _, command in PLAIN])
async def test_a_command_reaches_the_station_and_stands_in_the_audit(operator, site, station, name, body, command):
    station.answers[type(command)] = Accepted({"told": 1})
    answer = await operator.ok("POST", f"{COMMANDS}/{name}", body)
    assert answer == {"outcome": "accepted", "reason": "", "detail": {"told": 1}}
    assert station.asked == [command]
    (entry,) = (await operator.ok("GET", f"{LOGBOOK}/commands"))["items"]
    assert (entry["name"], entry["asked_by"], entry["role"]) == (type(command).__name__, "somebody", "operator")
    assert (entry["outcome"], entry["answer"], entry["is_raw"]) == ("accepted", {"told": 1}, False)


JOBS = [
    ("log", {"url": "ftp://h/up", "kind": "security"}, "log", lambda no: FetchLog(no, LogKind.SECURITY, "ftp://h/up")),
    (
        "firmware",
        {"url": "https://h/f.bin", "retrieve_at": STAMP, "signing_certificate": CERTIFICATE, "signature": "QUJD"},
        "firmware",
        lambda no: UpdateFirmware(no, "https://h/f.bin", AT, signing_certificate=CERTIFICATE, signature="QUJD"),
    ),
    ("report", {"base": "summary"}, "report", lambda no: ReadReport(no, ReportBase.SUMMARY)),
    (
        "report",
        {"components": [{"component": "EVSE"}, {"component": "OCPPCommCtrlr", "variable": "HeartbeatInterval"}]},
        "report",
        lambda no: ReadVariables(
            no, (Variable("EVSE", "", None), Variable("OCPPCommCtrlr", "HeartbeatInterval", None))
        ),
    ),
    ("read-profiles", {"evse_number": 1}, "profiles", lambda no: ReadProfiles(no, 1)),
    ("read-monitors", None, "monitors", ReadMonitors),
    (
        "customer-information",
        {"token": "card-0001", "is_erasure": True},
        "customer_information",
        lambda no: AskCustomerInformation(no, "CARD-0001", is_report=True, is_erasure=True),
    ),
]


@pytest.mark.parametrize(("name", "body", "kind", "command"), JOBS, ids=[f"{each[0]} {each[2]}" for each in JOBS])
async def test_what_takes_a_while_is_a_job_under_the_number_that_the_station_knows(
    operator, site, station, name, body, kind, command
):
    seen = []

    async def look(asked):
        seen.append((await operator.ok("GET", f"{LOGBOOK}/jobs"))["items"][0])
        return Accepted({"file": "log.txt"})

    answer_at_once = station.answer

    async def serve(asked):
        await answer_at_once(asked)
        return await look(asked)

    station.answer = serve
    answer = await operator.ok("POST", f"{COMMANDS}/{name}", body)
    number = answer["request_id"]
    assert station.asked == [command(number)]
    assert (seen[0]["request_id"], seen[0]["kind"], seen[0]["status"]) == (number, kind, "sent")
    job = await operator.ok("GET", f"{LOGBOOK}/jobs/{number}")
    assert (job["status"], job["ended_at"], job["detail"]["file"]) == ("accepted", None, "log.txt")


@pytest.mark.parametrize(
    ("answer", "status", "ends"),
    [
        (Rejected("UploadFailed"), "UploadFailed", True),
        (Unsupported("no such message"), "unsupported", True),
        (StationFault("InternalError"), "station_fault", True),
        (StationTimeout("late"), "station_timeout", False),
    ],
)
async def test_a_job_that_is_not_taken_on_has_ended_and_an_unanswered_one_may_still_be_heard_of(
    operator, site, station, answer, status, ends
):
    station.answers[FetchLog] = answer
    await operator.send("POST", f"{COMMANDS}/log", {"url": "ftp://h/up"})
    (job,) = (await operator.ok("GET", f"{LOGBOOK}/jobs?kind=log"))["items"]
    assert (job["status"], job["ended_at"] is not None) == (status, ends)


async def test_a_jobs_progress_comes_from_the_stations_own_reports(operator, site, station, transactions, clock):
    number = (await operator.ok("POST", f"{COMMANDS}/log", {"url": "ftp://h/up"}))["request_id"]
    for name, request_id in (("Uploading", number), ("Uploaded", None)):
        async with transactions() as tx:
            fact = StationReported(ReportKind.LOG, name, clock.at, clock.at, request_id)
            await record_facts(tx, "one", [fact])
        job = await operator.ok("GET", f"{LOGBOOK}/jobs/{number}")
        assert job["status"] == name
    assert job["ended_at"] is not None
    assert (await operator.send("GET", f"/v1/stations/two/jobs/{number}")).status_code == 404


async def test_a_report_that_comes_before_the_answer_is_kept(operator, site, station, transactions, clock):
    async def serve(command):
        async with transactions() as tx:
            fact = StationReported(ReportKind.FIRMWARE, "Downloading", clock.at, clock.at, command.request_id)
            await record_facts(tx, "one", [fact])
        return Accepted()

    station.answer = serve
    number = (await operator.ok("POST", f"{COMMANDS}/firmware", {"url": "ftp://h/f"}))["request_id"]
    assert (await operator.ok("GET", f"{LOGBOOK}/jobs/{number}"))["status"] == "Downloading"


async def test_a_station_without_reports_is_asked_for_all_its_settings(operator, site, station, transactions):
    """OCPP 1.6 has no GetBaseReport; GetConfiguration without keys tells the same."""
    station.answers[ReadReport] = Unsupported("no words")
    station.answers[ReadSettings] = Accepted({"values": {"HeartbeatInterval": "60", "Hidden": None}, "unknown": []})
    answer = await operator.ok("POST", f"{COMMANDS}/report", {})
    assert (answer["outcome"], answer["detail"]) == ("accepted", {"variable_count": 2})
    job = await operator.ok("GET", f"{LOGBOOK}/jobs/{answer['request_id']}")
    assert (job["status"], job["ended_at"] is not None) == ("done", True)
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(VariableRow).order_by(VariableRow.variable))).all()
        assert [(row.variable, row.value) for row in rows] == [("HeartbeatInterval", "60"), ("Hidden", None)]


async def test_all_certificates_are_asked_for_use_by_use_where_the_version_wants_that(operator, site, station):
    def answer(command):
        return Unsupported("one use") if command.use is None else Accepted({"certificates": [command.use.value]})

    station.answers[ReadCertificates] = answer
    told = await operator.ok("POST", f"{COMMANDS}/read-certificates", {})
    assert told["detail"] == {"certificates": ["central_system", "manufacturer"]}


async def test_a_local_list_is_the_version_after_the_stations_and_is_remembered(operator, site, station):
    station.answers[ReadLocalListVersion] = Accepted({"version": 7})
    entries = [{"token": "card-1"}, {"token": "card-2", "status": "blocked", "expires_at": STAMP}]
    answer = await operator.ok("POST", f"{COMMANDS}/send-local-list", {"entries": entries})
    assert answer["detail"] == {"version": 8, "entry_count": 2}
    wanted = (LocalListEntry("CARD-1"), LocalListEntry("CARD-2", TokenStatus.BLOCKED, AT))
    assert station.asked == [ReadLocalListVersion(), SendLocalList(8, True, wanted)]
    station.answers[ReadLocalListVersion] = Accepted({"version": -1})
    gone = {"is_full": False, "entries": [{"token": "card-1", "status": None}]}
    assert (await operator.ok("POST", f"{COMMANDS}/send-local-list", gone))["detail"]["version"] == 9
    assert station.asked[-1] == SendLocalList(9, False, (LocalListEntry("CARD-1", None),))


async def test_a_local_list_of_the_drivers_says_what_each_token_may_do_now(
    operator, driver, site, station, transactions, clock
):
    async with transactions() as tx:
        for token, is_blocked, expires_at in (
            ("Free", False, None),
            ("lost", True, None),
            ("old", False, clock.at - timedelta(days=1)),
        ):
            row = TokenRow(token=token, driver_id=driver.driver_id, is_blocked=is_blocked, expires_at=expires_at)
            tx.session.add(row)
    await operator.ok("POST", f"{COMMANDS}/send-local-list", {"source": "drivers"})
    entries = {entry.token: entry.status for entry in station.asked[-1].entries}
    assert entries == {"FREE": TokenStatus.ACCEPTED, "LOST": TokenStatus.BLOCKED, "OLD": TokenStatus.EXPIRED}


async def test_a_version_mismatch_says_what_to_do(operator, site, station):
    station.answers[SendLocalList] = Rejected("VersionMismatch")
    answer = await operator.ok("POST", f"{COMMANDS}/send-local-list", {"is_full": False, "entries": []})
    assert (answer["outcome"], answer["reason"]) == ("rejected", "VersionMismatch")
    assert "full list" in answer["detail"]["advice"]


async def reservation(operator):
    (row,) = (await operator.ok("GET", f"{LOGBOOK}/reservations"))["items"]
    return row


async def test_a_reservation_lives_until_the_station_or_the_clock_ends_it(operator, site, station, transactions, clock):
    expires_at = clock.at + timedelta(hours=1)
    body = {"evse_number": 1, "token": "card-1", "expires_at": expires_at.isoformat()}
    number = (await operator.ok("POST", f"{COMMANDS}/reserve", body))["reservation_id"]
    assert station.asked == [Reserve(number, 1, "CARD-1", expires_at)]
    assert (await reservation(operator))["state"] == "accepted"
    clock.advance(hours=1)
    assert (await reservation(operator))["state"] == "expired"
    async with transactions() as tx:
        fact = StationReported(ReportKind.RESERVATION, "Removed", clock.at, clock.at, number)
        await record_facts(tx, "one", [fact])
    assert (await reservation(operator))["state"] == "removed"


@pytest.mark.parametrize(
    ("answer", "state"),
    [(Rejected("Occupied"), "refused"), (Unsupported(), "refused"), (StationTimeout("late"), "asked")],
)
async def test_a_reservation_is_refused_by_an_answer_and_left_open_by_none(
    operator, site, station, answer, state, clock
):
    station.answers[Reserve] = answer
    body = {"evse_number": 0, "token": "c", "expires_at": (clock.at + timedelta(hours=1)).isoformat()}
    await operator.send("POST", f"{COMMANDS}/reserve", body)
    assert (await reservation(operator))["state"] == state


async def test_a_reservation_is_cancelled_only_where_the_station_says_so(operator, site, station, clock):
    body = {"evse_number": 1, "token": "c", "expires_at": (clock.at + timedelta(hours=1)).isoformat()}
    number = (await operator.ok("POST", f"{COMMANDS}/reserve", body))["reservation_id"]
    station.answers[CancelReservation] = Rejected("Rejected")
    await operator.ok("POST", f"{COMMANDS}/cancel-reservation", {"reservation_id": number})
    assert (await reservation(operator))["state"] == "accepted"
    del station.answers[CancelReservation]
    await operator.ok("POST", f"{COMMANDS}/cancel-reservation", {"reservation_id": number})
    assert (await reservation(operator))["state"] == "cancelled"
    unknown = await operator.send("POST", f"{COMMANDS}/cancel-reservation", {"reservation_id": number + 1})
    assert unknown.json()["errors"][0]["field"] == "reservation_id"


async def test_the_status_is_asked_of_a_session_of_this_station_also_after_its_end(
    operator, site, station, transactions, clock
):
    async with transactions() as tx:
        start = SessionStarted(1, clock.at, clock.at, None, None, 0.0, "k")
        ref = (await record_facts(tx, "one", [start])).station_ref
    async with transactions() as tx:
        await tx.session.execute(update(SessionRow).values(ended_at=tx.now))
    (session,) = (await operator.ok("GET", "/v1/sessions"))["items"]
    body = {"session_id": session["session_id"]}
    await operator.ok("POST", f"{COMMANDS}/session-status", body)
    assert station.asked == [ReadSessionStatus(ref)]
    elsewhere = await operator.send(
        "POST", "/v1/stations/two/commands/session-status", {"session_id": session["session_id"]}
    )
    assert elsewhere.status_code == 409


WRONG = [
    ("unlock", {"evse_number": 0}, "evse_number"),
    ("unlock", {"evse_number": 3}, "evse_number"),
    ("availability", {"evse_number": 1, "is_operative": "no"}, "is_operative"),
    ("trigger", {"message": "BootNotification"}, "message"),
    ("reserve", {"evse_number": 1, "token": "c", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("reserve", {"evse_number": 1, "token": "a b", "expires_at": STAMP}, "token"),
    ("log", {"url": "file:///etc/passwd"}, "url"),
    ("log", {"url": "ftp://"}, "url"),
    ("log", {"url": "ftp://h:99999/x"}, "url"),
    ("log", {"url": "ftp://h/" + "x" * 600}, "url"),
    ("log", {"url": "ftp://h/x", "from_at": STAMP, "until_at": "2026-03-01T00:00:00Z"}, "body"),
    ("firmware", {"url": "https://h/f", "signature": "QUJD"}, "body"),
    ("firmware", {"url": "https://h/f", "retry_count": -1}, "retry_count"),
    ("install-certificate", {"use": "v2g", "certificate": "no certificate"}, "certificate"),
    ("install-certificate", {"use": "v2g", "certificate": CERTIFICATE + PRIVATE_KEY}, "certificate"),
    ("install-certificate", {"use": "v2g", "certificate": CERTIFICATE + "A" * 5500}, "certificate"),
    ("delete-certificate", HASH | {"serial_number": "xyz"}, "serial_number"),
    ("data-transfer", {"vendor_id": ""}, "vendor_id"),
    ("data-transfer", {"vendor_id": "v", "data": "a\x00b"}, "data"),
    ("customer-information", {"token": "c", "is_report": False}, "body"),
    ("send-local-list", {"source": "drivers", "entries": []}, "body"),
    ("send-local-list", {}, "body"),
    ("send-local-list", {"entries": [{"token": "c", "status": None}]}, "body"),
    ("set-monitors", {"monitors": [MONITOR | {"severity": 10}]}, "monitors[0].severity"),
    ("set-monitors", {"monitors": []}, "monitors"),
    ("clear-monitors", {"monitor_ids": [-1]}, "monitor_ids[0]"),
    ("report", {"base": "everything"}, "base"),
    ("write-setting", {"name": "MaxCurrent", "value": "32"}, "name"),
]


@pytest.mark.parametrize(("name", "body", "field"), WRONG, ids=[f"{name} {field}" for name, _, field in WRONG])
async def test_a_bad_field_is_named_and_nothing_is_sent(operator, site, station, name, body, field):
    answer = await operator.send("POST", f"{COMMANDS}/{name}", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert [each for each in station.asked if not isinstance(each, ReadLocalListVersion)] == []


async def test_secrets_reach_the_station_but_neither_the_audit_nor_the_job_nor_a_log(operator, site, station, logs):
    url = "sftp://fleet:hunter2@files.example/up"
    number = (await operator.ok("POST", f"{COMMANDS}/log", {"url": url}))["request_id"]
    await operator.ok("POST", f"{COMMANDS}/start", {"evse_number": 1, "token": "04A1B2C3D4E5"})
    assert station.asked[0].url == url
    listed = await operator.ok("GET", f"{LOGBOOK}/commands")
    job = await operator.ok("GET", f"{LOGBOOK}/jobs/{number}")
    for shown in (str(listed), str(job), str(logs)):
        assert "hunter2" not in shown
        assert "04A1B2" not in shown
    assert listed["items"][0]["payload"]["token"] == "…D4E5"
    assert "files.example" in listed["items"][1]["payload"]["url"]
    bad = await operator.send("POST", f"{COMMANDS}/log", {"url": url.replace("sftp", "gopher")})
    assert "hunter2" not in bad.text


async def test_the_audit_is_filtered_paged_and_newest_first(operator, site, station):
    station.answers[Unlock] = Rejected("UnlockFailed")
    for name, body in (("clear-cache", None), ("unlock", {"evse_number": 1}), ("clear-cache", None)):
        await operator.ok("POST", f"{COMMANDS}/{name}", body)
    page = await operator.ok("GET", f"{LOGBOOK}/commands?limit=2")
    assert [each["name"] for each in page["items"]] == ["ClearCache", "Unlock"]
    rest = await operator.ok("GET", f"{LOGBOOK}/commands?cursor={page['next_cursor']}")
    assert [each["name"] for each in rest["items"]] == ["ClearCache"]
    (unlocked,) = (await operator.ok("GET", f"{LOGBOOK}/commands?outcome=rejected"))["items"]
    assert (unlocked["name"], unlocked["answer"]) == ("Unlock", {"reason": "UnlockFailed"})
    assert len((await operator.ok("GET", f"{LOGBOOK}/commands?name=ClearCache"))["items"]) == 2
    assert (await operator.send("GET", "/v1/stations/none/commands")).status_code == 404


async def test_what_failed_or_was_refused_stands_in_the_audit_too(operator, site, station, transactions):
    station.answers[ClearCache] = StationFault(
        "InternalError oops", error_code="InternalError", error_description="oops"
    )
    fault = await operator.send("POST", f"{COMMANDS}/clear-cache")
    assert (fault.status_code, fault.json()["error_code"], fault.json()["error_description"]) == (
        502,
        "InternalError",
        "oops",
    )
    await operator.send("POST", f"{COMMANDS}/write-setting", {"name": "AuthorizationKey", "value": "swordfish-key"})
    offline = await operator.send("POST", "/v1/stations/two/commands/clear-cache")
    assert (offline.status_code, offline.json()["code"]) == (409, "station_offline")
    written, cleared = (await operator.ok("GET", f"{LOGBOOK}/commands"))["items"]
    assert (cleared["outcome"], written["outcome"]) == ("station_fault", "invalid")
    assert "swordfish" not in str(written)
    (other,) = (await operator.ok("GET", "/v1/stations/two/commands"))["items"]
    assert other["outcome"] == "station_offline"


async def test_r3_profiles_are_not_cleared_where_the_site_has_no_room_for_the_nameplates(
    operator, site, station, transactions
):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=tx.now - timedelta(minutes=1)))
        await tx.session.execute(update(SiteRow).values(limit_w=10_000.0, margin_w=0.0, reserve_w=0.0))
    refused = await operator.send("POST", f"{COMMANDS}/clear-profiles", {})
    body = refused.json()
    assert (refused.status_code, body["code"]) == (403, "command_refused")
    assert body["missing_kw"] > 0
    assert station.asked == []
    (entry,) = (await operator.ok("GET", f"{LOGBOOK}/commands"))["items"]
    assert (entry["name"], entry["outcome"]) == (ClearProfile.__name__, "refused")
    async with transactions() as tx:
        assert all(row.default_verified_at for row in await tx.session.scalars(select(EvseRow)))


async def test_events_are_listed_newest_first_and_security_events_apart(operator, site, transactions, clock):
    async with transactions() as tx:
        for kind, name in ((ReportKind.SECURITY, "TamperDetectionActivated"), (ReportKind.LOG, "Uploaded")):
            await record_facts(tx, "one", [StationReported(kind, name, clock.at, clock.at, detail={"more": "x"})])
    assert [each["name"] for each in (await operator.ok("GET", f"{LOGBOOK}/events"))["items"]] == [
        "Uploaded",
        "TamperDetectionActivated",
    ]
    (event,) = (await operator.ok("GET", f"{LOGBOOK}/events?kind=security"))["items"]
    assert (event["kind"], event["detail"]) == ("security", {"more": "x"})
    assert (await operator.send("GET", f"{LOGBOOK}/events?kind=nonsense")).status_code == 422
    assert (await operator.send("GET", "/v1/stations/none/events")).status_code == 404
