"""What a 2.0.1 station reports over a real socket, and what is left in the database."""

import pytest
from charger import plugged
from sqlalchemy import select

from app.store.device import CertificateRow, VariableRow
from app.store.upkeep import StationEventRow, StationJobRow

pytestmark = pytest.mark.database

V201 = "ocpp2.0.1"
STAMP = "2026-04-01T07:00:00Z"


def part(request_id, seq_no, **more):
    return {"requestId": request_id, "seqNo": seq_no, "generatedAt": STAMP, **more}


def described(variable, value):
    return {
        "component": {"name": "SmartChargingCtrlr"},
        "variable": {"name": variable},
        "variableAttribute": [{"value": value, "mutability": "ReadOnly"}],
    }


@pytest.fixture
async def jobs(park, transactions, clock):
    """A job of each kind that a station reports on in parts; returns their request ids."""
    rows = {
        kind: StationJobRow(
            station_id="cp201",
            kind=kind,
            status="sent",
            detail={},
            created_at=clock.now(),
            changed_at=clock.now(),
            ended_at=None,
        )
        for kind in ("report", "profiles", "monitors", "customer_information", "firmware", "log")
    }
    async with transactions() as tx:
        tx.session.add_all(rows.values())
        await tx.session.flush()
        return {kind: row.request_id for kind, row in rows.items()}


@pytest.mark.ocpp("2.0.1", "NotifyReport")
async def test_a_report_in_parts_fills_the_device_model_and_ends_its_job_b07(start, jobs, transactions):
    request_id = jobs["report"]
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        await charger.heard("GetBaseReport")  # the station is being set up: what was known of it is forgotten
        first = part(request_id, 0, tbc=True, reportData=[described("ProfileStackLevel", "3")])
        assert await charger.call("NotifyReport", first) == {}
        async with transactions() as tx:
            assert (await tx.session.get_one(StationJobRow, request_id)).status == "reporting"
        assert await charger.call("NotifyReport", first) == {}
        assert await charger.call("NotifyReport", part(request_id, 1, reportData=[described("RateUnit", "A,W")])) == {}
    async with transactions() as tx:
        job = await tx.session.get_one(StationJobRow, request_id)
        variables = (await tx.session.scalars(select(VariableRow).order_by(VariableRow.variable))).all()
        assert (job.status, job.ended_at is None) == ("done", False)
        assert [(each.variable, each.value) for each in variables] == [("ProfileStackLevel", "3"), ("RateUnit", "A,W")]


@pytest.mark.ocpp("2.0.1", "ReportChargingProfiles", "NotifyMonitoringReport", "NotifyCustomerInformation")
@pytest.mark.ocpp("2.0.1", "FirmwareStatusNotification", "LogStatusNotification")
async def test_reports_and_progress_reach_their_jobs_and_are_kept_as_events(start, jobs, transactions):
    told = {
        "profiles": (
            "ReportChargingProfiles",
            {"requestId": jobs["profiles"], "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": []},
        ),
        "monitors": ("NotifyMonitoringReport", part(jobs["monitors"], 0)),
        "customer_information": (
            "NotifyCustomerInformation",
            part(jobs["customer_information"], 0, data="nothing"),
        ),
        "firmware": ("FirmwareStatusNotification", {"status": "Installed", "requestId": jobs["firmware"]}),
        "log": ("LogStatusNotification", {"status": "Uploaded", "requestId": jobs["log"]}),
    }
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        for action, payload in told.values():
            assert await charger.call(action, payload) == {}
    async with transactions() as tx:
        for kind in told:
            job = await tx.session.get_one(StationJobRow, jobs[kind])
            assert job.ended_at is not None, kind
        events = (await tx.session.scalars(select(StationEventRow).order_by(StationEventRow.event_id))).all()
        assert [(each.kind, each.request_id) for each in events] == [(kind, jobs[kind]) for kind in told]


@pytest.mark.ocpp("2.0.1", "SignCertificate")
async def test_a_request_to_sign_is_taken_and_kept_a02(start, park, transactions):
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        assert await charger.call("SignCertificate", {"csr": "PEM"}) == {"status": "Accepted"}
    async with transactions() as tx:
        (row,) = (await tx.session.scalars(select(CertificateRow))).all()
        assert (row.station_id, row.csr, row.use) == ("cp201", "PEM", "station")


@pytest.mark.ocpp("2.0.1", "NotifyEvent", "DataTransfer", "NotifyEVChargingNeeds")
async def test_events_of_any_kind_are_kept_in_their_order(start, park, transactions):
    event = {
        "eventId": 1,
        "timestamp": STAMP,
        "trigger": "Alerting",
        "actualValue": "95",
        "eventNotificationType": "HardWiredMonitor",
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Temperature"},
    }
    needs = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_single_phase"}}
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        notified = {"generatedAt": STAMP, "seqNo": 0, "eventData": [event, event | {"eventId": 2}]}
        assert await charger.call("NotifyEvent", notified) == {}
        assert (await charger.call("DataTransfer", {"vendorId": "v"}))["status"] == "UnknownVendorId"
        assert (await charger.call("NotifyEVChargingNeeds", needs))["status"] == "Rejected"
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(StationEventRow).order_by(StationEventRow.event_id))).all()
        assert [each.name for each in rows] == ["EVSE.Temperature", "EVSE.Temperature", "v", "AC_single_phase"]
