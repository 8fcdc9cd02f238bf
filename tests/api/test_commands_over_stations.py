"""Every typed command over REST through a real session of either version: what the station hears, what comes back."""

from datetime import timedelta

import pytest
from charger import plugged
from rows import add_driver, add_site, add_station

from app.ocpp_central.server import Central, CentralOptions

pytestmark = pytest.mark.database

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ==\n-----END CERTIFICATE-----\n"
HASH = {"algorithm": "SHA256", "issuer_name_hash": "ab12", "issuer_key_hash": "cd34", "serial_number": "0f"}
MONITOR = {"component": "EVSE", "variable": "Power", "kind": "delta", "value": 7.5, "severity": 4, "evse_number": 1}
IDENTITIES = {"ocpp1.6": "cp16", "ocpp2.0.1": "cp201"}
NEVER = "2030-01-01T00:00:00Z"

# command, body, what a station of 1.6 hears, what one of 2.0.1 hears; None: the version has no words for it
TABLE = [
    ("start", {"evse_number": 1, "token": "CARD-1"}, "RemoteStartTransaction", "RequestStartTransaction"),
    ("reset", {"hard": True}, "Reset", "Reset"),
    ("trigger", {"message": "meter_values", "evse_number": 1}, "TriggerMessage", "TriggerMessage"),
    ("trigger", {"message": "firmware_status"}, "TriggerMessage", "TriggerMessage"),
    ("trigger", {"message": "log_status"}, "ExtendedTriggerMessage", "TriggerMessage"),
    ("trigger", {"message": "diagnostics_status"}, "TriggerMessage", None),
    ("trigger", {"message": "sign_certificate"}, "ExtendedTriggerMessage", "TriggerMessage"),
    ("read-settings", {"names": ["ClockCtrlr.DateTime"]}, "GetConfiguration", "GetVariables"),
    ("write-setting", {"name": "TxCtrlr.Interval", "value": "60"}, "ChangeConfiguration", "SetVariables"),
    ("clear-profiles", {"purpose": "session"}, "ClearChargingProfile", "ClearChargingProfile"),
    ("composite-schedule", {"evse_number": 1}, "GetCompositeSchedule", "GetCompositeSchedule"),
    ("read-profiles", {}, None, "GetChargingProfiles"),
    ("unlock", {"evse_number": 1}, "UnlockConnector", "UnlockConnector"),
    ("availability", {"evse_number": 0, "is_operative": True}, "ChangeAvailability", "ChangeAvailability"),
    ("session-status", {}, None, "GetTransactionStatus"),
    ("clear-cache", None, "ClearCache", "ClearCache"),
    ("local-list-version", None, "GetLocalListVersion", "GetLocalListVersion"),
    ("send-local-list", {"source": "drivers"}, "SendLocalList", "SendLocalList"),
    ("reserve", {"evse_number": 1, "token": "CARD-1", "expires_at": NEVER}, "ReserveNow", "ReserveNow"),
    ("log", {"url": "ftp://h/up"}, "GetLog", "GetLog"),
    ("log", {"url": "ftp://h/up", "is_plain": True}, "GetDiagnostics", "GetLog"),
    ("firmware", {"url": "https://h/f.bin"}, "UpdateFirmware", "UpdateFirmware"),
    (
        "firmware",
        {"url": "https://h/f.bin", "signing_certificate": CERTIFICATE, "signature": "QUJD"},
        "SignedUpdateFirmware",
        "UpdateFirmware",
    ),
    ("report", {}, "GetConfiguration", "GetBaseReport"),
    ("report", {"components": [{"component": "EVSE"}]}, None, "GetReport"),
    ("customer-information", {"token": "CARD-1"}, None, "CustomerInformation"),
    ("data-transfer", {"vendor_id": "v"}, "DataTransfer", "DataTransfer"),
    ("install-certificate", {"use": "manufacturer", "certificate": CERTIFICATE}, *["InstallCertificate"] * 2),
    ("delete-certificate", HASH, "DeleteCertificate", "DeleteCertificate"),
    ("read-certificates", {}, "GetInstalledCertificateIds", "GetInstalledCertificateIds"),
    ("set-monitoring-base", {"base": "all"}, None, "SetMonitoringBase"),
    ("set-monitoring-level", {"severity": 3}, None, "SetMonitoringLevel"),
    ("set-monitors", {"monitors": [MONITOR]}, None, "SetVariableMonitoring"),
    ("clear-monitors", {"monitor_ids": [1]}, None, "ClearVariableMonitoring"),
    ("read-monitors", None, None, "GetMonitoringReport"),
]

ACTUAL = {"component": {"name": "TxCtrlr"}, "variable": {"name": "Interval"}, "attributeStatus": "Accepted"}
WATCHED = {"status": "Accepted", "type": "Delta", "severity": 4, "component": {"name": "E"}, "variable": {"name": "P"}}
SCHEDULE = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
ANSWERS = {
    "GetCompositeSchedule": {
        "status": "Accepted",
        "chargingSchedule": SCHEDULE,
        "schedule": SCHEDULE | {"evseId": 1, "duration": 60, "scheduleStart": "2026-04-01T07:00:00Z"},
    },
    "UnlockConnector": {"status": "Unlocked"},
    "GetDiagnostics": {"fileName": "log.txt"},
    "UpdateFirmware": lambda payload: {"status": "Accepted"} if "firmware" in payload else {},
    "GetConfiguration": {"configurationKey": [{"key": "k", "readonly": True, "value": "v"}], "unknownKey": []},
    "GetLocalListVersion": {"listVersion": 3, "versionNumber": 3},
    "GetTransactionStatus": {"messagesInQueue": False},
    "GetVariables": {"getVariableResult": [ACTUAL | {"attributeValue": "60"}]},
    "SetVariables": {"setVariableResult": [ACTUAL]},
    "SetVariableMonitoring": {"setMonitoringResult": [WATCHED | {"id": 1}]},
    "ClearVariableMonitoring": {"clearMonitoringResult": [{"status": "Accepted", "id": 1}]},
}


@pytest.fixture
async def central(transactions, bus, app):
    async with transactions() as tx:
        await add_site(tx)
        for dialect, identity in IDENTITIES.items():
            await add_station(tx, identity, dialect=dialect, connection_id=None, evses=2)
        await add_driver(tx)
    central = Central(transactions, bus, CentralOptions(port=0, boot_wait_s=0.3, close_timeout_s=1.0))
    async with central.serving():
        yield central


@pytest.mark.parametrize("dialect", list(IDENTITIES))
async def test_each_version_hears_its_own_words_and_the_outcome_comes_back(operator, central, dialect):
    """What a version has no words for is unsupported: an honest answer, and nothing is sent."""
    identity = IDENTITIES[dialect]
    wrong = []
    async with plugged(central.port, identity, dialect) as charger:
        charger.answers |= ANSWERS
        for name, body, *words in TABLE:
            action = words[dialect == "ocpp2.0.1"]
            heard_count = len(charger.calls)
            answer = await operator.send("POST", f"/v1/stations/{identity}/commands/{name}", body)
            heard = {each for each, _ in charger.calls[heard_count:]}
            outcome = answer.json().get("outcome", answer.text)
            if outcome != ("unsupported" if action is None else "accepted") or (action and action not in heard):
                wrong.append((name, body, outcome, answer.json(), heard))
    assert wrong == []


@pytest.mark.parametrize("dialect", list(IDENTITIES))
async def test_a_reservation_is_cancelled_by_the_number_that_the_station_knows(operator, central, dialect, clock):
    commands = f"/v1/stations/{IDENTITIES[dialect]}/commands"
    async with plugged(central.port, IDENTITIES[dialect], dialect) as charger:
        body = {"evse_number": 1, "token": "CARD-1", "expires_at": (clock.at + timedelta(hours=1)).isoformat()}
        number = (await operator.ok("POST", f"{commands}/reserve", body))["reservation_id"]
        await operator.ok("POST", f"{commands}/cancel-reservation", {"reservation_id": number})
        (cancelled,) = await charger.heard("CancelReservation")
        assert cancelled == {"reservationId": number}
