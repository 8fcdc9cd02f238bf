from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wire import CENTRALS, Wire

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    Profile,
    ProfilePeriod,
    ProfilePurpose,
    RateUnit,
    Reboot,
    Rejected,
    StartSession,
    Trigger,
    Unsupported,
)
from app.domain.facts import (
    CertificateRequested,
    Occupancy,
    ReportKind,
    SessionEnded,
    SessionStarted,
    StationBooted,
    StationReported,
    StatusReported,
    TokenStatus,
    VariablesReported,
)
from app.domain.upkeep import (
    AskCustomerInformation,
    CancelReservation,
    CertificateHash,
    ClearCache,
    DeleteCertificate,
    DeliverCertificate,
    FetchLog,
    InstallCertificate,
    LocalListEntry,
    LogKind,
    ReadCertificates,
    ReadLocalListVersion,
    ReadProfiles,
    ReadReport,
    ReadSessionStatus,
    Reserve,
    RootUse,
    SendLocalList,
    SendVendorMessage,
    SetAvailability,
    SetNetwork,
    Unlock,
    UpdateFirmware,
)
from simulators.car import Car, taper_of

CARD, OTHER = "04A1B2C3", "04FFFFFF"


@pytest.fixture(params=sorted(CENTRALS))
def wire(request):
    return Wire(request.param)


def plug_in(wire, number=1, token=CARD):
    wire.station.bays[number].plug_in(Car(20_000, 6600, taper_of(20_000, 6000)), token)
    wire.let_pass(2)


def unplug(wire, number=1):
    wire.station.bays[number].unplug()
    wire.let_pass(2)


def occupancies(wire, number):
    return [fact.occupancy for fact in wire.of(StatusReported) if fact.evse_number == number]


def reports(wire, kind):
    return [(fact.name, fact.request_id) for fact in wire.of(StationReported) if fact.kind is kind]


@pytest.mark.ocpp("1.6", "ChangeAvailability", "StatusNotification")
@pytest.mark.ocpp("2.0.1", "ChangeAvailability", "StatusNotification")
def test_an_evse_goes_out_of_order_when_its_session_is_over(wire):
    assert wire.tell(SetAvailability(2, is_operative=False)) == Accepted({"scheduled": False})
    assert occupancies(wire, 2)[-1] is Occupancy.UNAVAILABLE
    assert wire.tell(StartSession(2, CARD, 1)) == Rejected("Rejected")
    plug_in(wire)
    assert wire.tell(SetAvailability(1, is_operative=False)) == Accepted({"scheduled": True})
    assert Occupancy.UNAVAILABLE not in occupancies(wire, 1)
    unplug(wire)
    assert occupancies(wire, 1)[-1] is Occupancy.UNAVAILABLE
    assert wire.tell(SetAvailability(0, is_operative=True)) == Accepted({"scheduled": False})
    assert occupancies(wire, 1)[-1] is occupancies(wire, 2)[-1] is Occupancy.FREE
    assert wire.tell(SetAvailability(7, is_operative=True)) == Rejected("Rejected")


@pytest.mark.ocpp("1.6", "ReserveNow", "CancelReservation", "StartTransaction")
@pytest.mark.ocpp("2.0.1", "ReserveNow", "CancelReservation", "TransactionEvent")
def test_a_reserved_evse_waits_for_its_token(wire):
    assert wire.tell(Reserve(9, 1, CARD, wire.now + timedelta(minutes=10))) == Accepted()
    assert occupancies(wire, 1)[-1] is Occupancy.RESERVED
    assert wire.tell(Reserve(10, 1, OTHER, wire.now + timedelta(minutes=10))) == Rejected("Occupied")
    plug_in(wire, token=OTHER)
    assert wire.of(SessionStarted) == []
    unplug(wire)
    plug_in(wire)
    assert len(wire.of(SessionStarted)) == 1
    assert reports(wire, ReportKind.RESERVATION) == [("used", 9)]
    assert wire.tell(CancelReservation(9)) == Rejected("Rejected")


@pytest.mark.ocpp("1.6", "ReserveNow", "CancelReservation")
@pytest.mark.ocpp("2.0.1", "ReserveNow", "CancelReservation", "ReservationStatusUpdate")
def test_a_reservation_is_cancelled_or_expires(wire):
    assert wire.tell(Reserve(9, 1, CARD, wire.now + timedelta(minutes=10))) == Accepted()
    assert wire.tell(CancelReservation(9)) == Accepted()
    assert occupancies(wire, 1)[-1] is Occupancy.FREE
    assert wire.tell(Reserve(10, 1, CARD, wire.now + timedelta(minutes=10))) == Accepted()
    wire.let_pass(601)
    assert occupancies(wire, 1)[-1] is Occupancy.FREE
    expected = [] if wire.dialect.subprotocol == "ocpp1.6" else [("Expired", 10)]
    assert reports(wire, ReportKind.RESERVATION) == expected


@pytest.mark.ocpp("1.6", "SendLocalList", "GetLocalListVersion", "ClearCache")
@pytest.mark.ocpp("2.0.1", "SendLocalList", "GetLocalListVersion", "ClearCache")
def test_a_station_without_its_line_goes_by_the_local_list(wire):
    blocked = LocalListEntry(OTHER, TokenStatus.BLOCKED)
    assert wire.tell(ReadLocalListVersion()) == Accepted({"version": 0})
    assert wire.tell(SendLocalList(3, is_full=True, entries=(LocalListEntry(CARD), blocked))) == Accepted()
    assert wire.tell(SendLocalList(3, is_full=False, entries=())) == Rejected("VersionMismatch")
    assert wire.tell(SendLocalList(4, is_full=False, entries=(LocalListEntry(CARD, None),))) == Accepted()
    assert wire.tell(ReadLocalListVersion()) == Accepted({"version": 4})
    assert wire.tell(ClearCache()) == Accepted()
    wire.is_up = False
    plug_in(wire, 1, OTHER)
    plug_in(wire, 2, CARD)
    assert [bay.tx is not None for bay in wire.station.bays.values()] == [False, True]


@pytest.mark.ocpp("1.6", "UnlockConnector")
@pytest.mark.ocpp("2.0.1", "UnlockConnector")
def test_a_cable_is_given_free(wire):
    assert wire.tell(Unlock(1)) == Accepted()
    plug_in(wire)
    if wire.dialect.subprotocol == "ocpp1.6":  # OCPP 1.6 §5.18 ends the transaction, 2.0.1 F05.FR.02 refuses
        assert wire.tell(Unlock(1)) == Accepted()
        assert len(wire.of(SessionEnded)) == 1
        assert wire.tell(Unlock(7)) == Unsupported("NotSupported")
    else:
        assert wire.tell(Unlock(1)) == Rejected("OngoingAuthorizedTransaction")
        assert wire.tell(Unlock(7)) == Rejected("UnknownConnector")


@pytest.mark.ocpp("1.6", "GetLog", "LogStatusNotification", "TriggerMessage", "ExtendedTriggerMessage")
@pytest.mark.ocpp("2.0.1", "GetLog", "LogStatusNotification", "TriggerMessage")
def test_a_log_is_uploaded(wire):
    outcome = wire.tell(FetchLog(3, LogKind.SECURITY, "https://logs.example/"))
    assert outcome == Accepted({"file": "CP-1-SecurityLog.log"})
    wire.let_pass(30)
    assert reports(wire, ReportKind.LOG) == [("Uploading", 3), ("Uploaded", 3)]
    assert wire.tell(Trigger("log_status")) == Accepted()
    assert reports(wire, ReportKind.LOG)[-1][0] == "Idle"


@pytest.mark.ocpp("1.6", "UpdateFirmware", "FirmwareStatusNotification", "BootNotification")
@pytest.mark.ocpp("2.0.1", "UpdateFirmware", "FirmwareStatusNotification", "BootNotification")
def test_a_firmware_is_installed_when_nobody_charges_and_shows_in_the_next_boot(wire):
    plug_in(wire)
    assert wire.tell(UpdateFirmware(5, "https://firmware.example/sim-2.1.bin", wire.now)) == Accepted()
    wire.let_pass(120)
    number = None if wire.dialect.subprotocol == "ocpp1.6" else 5
    assert reports(wire, ReportKind.FIRMWARE) == [("Downloading", number), ("Downloaded", number)]
    unplug(wire)
    wire.let_pass(120)
    assert [name for name, _ in reports(wire, ReportKind.FIRMWARE)][2] == "Installing"
    assert reports(wire, ReportKind.FIRMWARE)[-1] == ("Installed", number)
    assert [boot.firmware for boot in wire.of(StationBooted)] == ["1.0", "2.1"]
    assert wire.tell(Trigger("firmware_status")) == Accepted()
    assert reports(wire, ReportKind.FIRMWARE)[-1] == ("Idle", None)


@pytest.fixture(scope="module")
def roots():
    """A self-signed root (PEM), and what signs a request with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Story Root")])

    def certificate(subject, public_key):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        builder = builder.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def sign(csr):
        request = x509.load_pem_x509_csr(csr.encode())
        return certificate(request.subject, request.public_key())

    return certificate(name, key.public_key()), sign


@pytest.mark.ocpp("1.6", "InstallCertificate", "GetInstalledCertificateIds", "DeleteCertificate")
@pytest.mark.ocpp("2.0.1", "InstallCertificate", "GetInstalledCertificateIds", "DeleteCertificate")
def test_a_root_is_installed_listed_and_deleted_m03_m04_m05(wire, roots):
    read = ReadCertificates(RootUse.CENTRAL_SYSTEM)
    assert wire.tell(read) == Accepted({"certificates": []})
    assert wire.tell(InstallCertificate(RootUse.CENTRAL_SYSTEM, "no certificate")) == Rejected("Rejected")
    assert wire.tell(InstallCertificate(RootUse.CENTRAL_SYSTEM, roots[0])) == Accepted()
    (told,) = wire.tell(read).detail["certificates"]
    assert told.pop("use") == "central_system"
    assert wire.tell(DeleteCertificate(CertificateHash(**told))) == Accepted()
    assert wire.tell(DeleteCertificate(CertificateHash(**told))) == Rejected("NotFound")
    assert wire.tell(read) == Accepted({"certificates": []})


@pytest.mark.ocpp("1.6", "SignCertificate", "CertificateSigned", "ExtendedTriggerMessage")
@pytest.mark.ocpp("2.0.1", "SignCertificate", "CertificateSigned", "TriggerMessage")
def test_a_station_gets_its_key_signed_a02(wire, roots):
    assert wire.tell(DeliverCertificate(roots[0])) == Rejected("Rejected")
    assert wire.tell(Trigger("sign_certificate")) == Accepted()
    (request,) = wire.of(CertificateRequested)
    assert wire.tell(DeliverCertificate(roots[0])) == Rejected("Rejected")
    assert wire.tell(DeliverCertificate(roots[1](request.csr))) == Accepted()


@pytest.mark.ocpp("1.6", "DataTransfer", "Reset")
@pytest.mark.ocpp("2.0.1", "DataTransfer", "Reset")
def test_no_vendor_is_known_and_a_reset_boots_again(wire):
    assert wire.tell(SendVendorMessage("acme", "hello")) == Unsupported("UnknownVendorId")
    assert wire.tell(Reboot(hard=True)) == Accepted()
    wire.let_pass(60)
    assert len(wire.of(StationBooted)) == 2


@pytest.mark.ocpp("1.6", "GetDiagnostics", "DiagnosticsStatusNotification")
def test_diagnostics_are_uploaded_without_a_number_1_6_5_9():
    wire = Wire("ocpp1.6")
    fetch = FetchLog(3, LogKind.DIAGNOSTICS, "https://logs.example/", is_plain=True)
    assert wire.tell(fetch) == Accepted({"file": "CP-1-diagnostics.log"})
    wire.let_pass(30)
    assert reports(wire, ReportKind.LOG) == [("Uploading", None), ("Uploaded", None)]
    assert wire.tell(Trigger("diagnostics_status")) == Accepted()
    assert reports(wire, ReportKind.LOG)[-1] == ("Idle", None)


@pytest.mark.ocpp("1.6", "SignedUpdateFirmware", "SignedFirmwareStatusNotification")
@pytest.mark.ocpp("2.0.1", "UpdateFirmware", "FirmwareStatusNotification")
def test_signed_firmware_is_verified_first_l01(wire, roots):
    update = UpdateFirmware(6, "https://x.example/f-3.0.bin", wire.now, None, roots[0], "c2ln")
    assert wire.tell(update) == Accepted()
    wire.let_pass(120)
    words = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]
    assert reports(wire, ReportKind.FIRMWARE) == [(word, 6) for word in words]


def told(wire, kind):
    (report,) = (fact for fact in wire.of(StationReported) if fact.kind is kind)
    return report


@pytest.mark.ocpp("2.0.1", "GetBaseReport", "NotifyReport")
def test_a_station_tells_all_its_variables_in_parts_2_0_1_b07():
    wire = Wire("ocpp2.0.1")
    assert wire.tell(ReadReport(4)) == Accepted()
    parts = wire.of(VariablesReported)
    assert [part.seq_no for part in parts] == list(range(len(parts)))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    found = {(each.component, each.variable, each.evse_number): each for part in parts for each in part.variables}
    assert found["EVSE", "Power", 2].value == "6000"
    assert found["SampledDataCtrlr", "TxUpdatedInterval", None].is_writable


@pytest.mark.ocpp("2.0.1", "GetChargingProfiles", "ReportChargingProfiles")
def test_installed_profiles_are_listed_2_0_1_k09():
    wire = Wire("ocpp2.0.1")
    assert wire.tell(ReadProfiles(8)) == Rejected("NoProfiles")
    standing = Profile(12, ProfilePurpose.DEFAULT, 0, RateUnit.A, (ProfilePeriod(0, 8.0),))
    assert wire.tell(ApplyProfile(1, standing)) == Accepted()
    assert wire.tell(ReadProfiles(8)) == Accepted()
    report = told(wire, ReportKind.PROFILES)
    assert (report.request_id, report.evse_number, report.is_last) == (8, 1, True)


@pytest.mark.ocpp("2.0.1", "GetTransactionStatus")
def test_a_session_is_asked_for_2_0_1_e14():
    wire = Wire("ocpp2.0.1")
    plug_in(wire)
    (started,) = wire.of(SessionStarted)
    asked = ReadSessionStatus(started.station_ref)
    assert wire.tell(asked) == Accepted({"is_ongoing": True, "has_queued_messages": False})
    unplug(wire)
    assert wire.tell(asked) == Accepted({"is_ongoing": False, "has_queued_messages": False})


@pytest.mark.ocpp("2.0.1", "CustomerInformation", "NotifyCustomerInformation", "SetNetworkProfile")
def test_what_is_known_of_a_customer_is_told_and_a_network_remembered_2_0_1_n09_b09():
    wire = Wire("ocpp2.0.1")
    plug_in(wire)
    assert wire.tell(AskCustomerInformation(3, CARD, is_report=True, is_erasure=True)) == Accepted()
    assert told(wire, ReportKind.CUSTOMER_INFORMATION).request_id == 3
    assert CARD not in wire.station.tokens.cached
    assert wire.tell(SetNetwork(2, "wss://central.example/ocpp", 2)) == Accepted()
    assert wire.station.networks[2]["ocppCsmsUrl"] == "wss://central.example/ocpp"
