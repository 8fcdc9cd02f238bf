"""What can be read and written of a station's configuration, under the names of both dialects."""

from collections.abc import Callable
from dataclasses import dataclass

from simulators.messages import MEASURANDS
from simulators.profiles import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from simulators.station import Station

MIN_KEY_LENGTH, MAX_KEY_LENGTH = 16, 40
LONGEST_LIST_COUNT = 100
ALL_MEASURANDS = ",".join(MEASURANDS)

Read = Callable[[Station], str]
Write = Callable[[Station, str], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `read` None is write-only, `write` None read-only; `write` raises ValueError for a bad value.

    The rest is OCPP 2.0.1's: its data type, the variable's instance, the unit, and what a list may hold.
    """

    names: tuple[str, ...]
    read: Read | None
    write: Write | None = None
    kind: str = "string"
    instance: str = ""
    unit: str = ""
    values: str = ""


def _count(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _set_heartbeat(station: Station, value: str) -> None:
    station.heartbeat.plan(_count(value))


def _set_metering(station: Station, value: str) -> None:
    station.meter_interval_s = _count(value)
    for bay in station.bays.values():
        bay.replan_metering()


def _set_measurands(station: Station, value: str) -> None:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not set(names) <= set(MEASURANDS):
        raise ValueError("a measurand that is not measured here")
    station.dialect.measurands = names


def _set_attempts(station: Station, value: str) -> None:
    station.outbox.attempt_limit = max(1, _count(value))


def _set_retry(station: Station, value: str) -> None:
    station.outbox.retry_interval_s = _count(value)


def _set_key(station: Station, value: str) -> None:
    if not MIN_KEY_LENGTH <= len(value) <= MAX_KEY_LENGTH:
        raise ValueError("a key has 16 to 40 characters")
    if station.line is not None:
        station.line.key = value


def _security_profile(station: Station) -> str:
    return "0" if station.line is None or station.line.key is None else "1"


def _fixed(value: str) -> Read:
    return lambda _: value


def _check(kind: str, value: str) -> None:
    if kind == "integer":
        _count(value)
    if kind == "boolean" and value not in {"true", "false"}:
        raise ValueError("is no boolean")


def _kept(*names: str, default: str, kind: str = "string", instance: str = "", unit: str = "") -> Setting:
    """Return a setting that the station only remembers."""

    def write(station: Station, value: str) -> None:
        _check(kind, value)
        station.memory[names[0]] = value

    return Setting(names, lambda station: station.memory.get(names[0], default), write, kind, instance, unit)


def _told(
    *names: str, value: str, kind: str = "string", instance: str = "", unit: str = "", values: str = ""
) -> Setting:
    """Return a setting that is as the factory made it."""
    return Setting(names, _fixed(value), None, kind, instance, unit, values)


COMMUNICATION = (
    Setting(
        ("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval"),
        lambda s: str(s.heartbeat.interval_s),
        _set_heartbeat,
        "integer",
        unit="s",
    ),
    Setting(
        ("TransactionMessageAttempts", "OCPPCommCtrlr.MessageAttempts"),
        lambda s: str(s.outbox.attempt_limit),
        _set_attempts,
        "integer",
        "TransactionEvent",
    ),
    Setting(
        ("TransactionMessageRetryInterval", "OCPPCommCtrlr.MessageAttemptInterval"),
        lambda s: str(s.outbox.retry_interval_s),
        _set_retry,
        "integer",
        "TransactionEvent",
        "s",
    ),
    _kept("ResetRetries", "OCPPCommCtrlr.ResetRetries", default="1", kind="integer"),
    _kept("WebSocketPingInterval", "OCPPCommCtrlr.WebSocketPingInterval", default="0", kind="integer", unit="s"),
    _kept("OCPPCommCtrlr.RetryBackOffRepeatTimes", default="5", kind="integer"),
    _kept("OCPPCommCtrlr.RetryBackOffRandomRange", default="0", kind="integer", unit="s"),
    _kept("OCPPCommCtrlr.RetryBackOffWaitMinimum", default="10", kind="integer", unit="s"),
    _kept("OCPPCommCtrlr.OfflineThreshold", default="300", kind="integer", unit="s"),
    _kept("OCPPCommCtrlr.NetworkConfigurationPriority", default="1", kind="SequenceList"),
    _kept("OCPPCommCtrlr.NetworkProfileConnectionAttempts", default="3", kind="integer"),
    _kept("OCPPCommCtrlr.QueueAllMessages", default="false", kind="boolean"),
    _told("OCPPCommCtrlr.MessageTimeout", value="30", kind="integer", instance="Default", unit="s"),
    _told("SupportedFileTransferProtocols", "OCPPCommCtrlr.FileTransferProtocols", value="HTTPS", kind="MemberList"),
    _told("GetConfigurationMaxKeys", value=str(LONGEST_LIST_COUNT)),
    _told("DeviceDataCtrlr.ItemsPerMessage", value=str(LONGEST_LIST_COUNT), kind="integer", instance="GetVariables"),
)
METERING = (
    Setting(
        ("MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval"),
        lambda s: str(s.meter_interval_s),
        _set_metering,
        "integer",
        unit="s",
    ),
    Setting(
        ("MeterValuesSampledData", "SampledDataCtrlr.TxUpdatedMeasurands"),
        lambda s: ",".join(s.dialect.measurands),
        _set_measurands,
        "MemberList",
        values=ALL_MEASURANDS,
    ),
    _told("MeterValuesSampledDataMaxLength", value=str(len(MEASURANDS))),
    _told("SampledDataCtrlr.TxStartedMeasurands", value=ALL_MEASURANDS, kind="MemberList"),
    _told("SampledDataCtrlr.TxEndedMeasurands", value=ALL_MEASURANDS, kind="MemberList"),
    _told("SampledDataCtrlr.Enabled", value="true", kind="boolean"),
    _told("ClockAlignedDataInterval", "AlignedDataCtrlr.Interval", value="0", kind="integer", unit="s"),
    _told("MeterValuesAlignedData", "AlignedDataCtrlr.Measurands", value="", kind="MemberList"),
    _told("StopTxnSampledData", value=""),
    _told("StopTxnAlignedData", value=""),
)
SESSIONS = (
    Setting(("NumberOfConnectors",), lambda s: str(len(s.bays)), None, "integer"),
    _told("AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart", value="false", kind="boolean"),
    _told("ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut", value="120", kind="integer", unit="s"),
    _told("ConnectorPhaseRotation", value="NotApplicable"),
    _told("StopTransactionOnEVSideDisconnect", "TxCtrlr.StopTxOnEVSideDisconnect", value="true", kind="boolean"),
    _told("StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId", value="true", kind="boolean"),
    _told("UnlockConnectorOnEVSideDisconnect", "OCPPCommCtrlr.UnlockOnEVSideDisconnect", value="true", kind="boolean"),
    _told("TxCtrlr.TxStartPoint", value="Authorized", kind="MemberList"),
    _told("TxCtrlr.TxStopPoint", value="EVConnected,Authorized", kind="MemberList"),
    _kept("LocalAuthorizeOffline", "AuthCtrlr.LocalAuthorizeOffline", default="true", kind="boolean"),
    _told("LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize", value="false", kind="boolean"),
    _kept("AllowOfflineTxForUnknownId", "AuthCtrlr.OfflineTxForUnknownIdEnabled", default="true", kind="boolean"),
    _told("AuthorizationCacheEnabled", "AuthCacheCtrlr.Enabled", value="true", kind="boolean"),
    _kept("LocalAuthListEnabled", "LocalAuthListCtrlr.Enabled", default="true", kind="boolean"),
    _told("LocalAuthListMaxLength", value=str(LONGEST_LIST_COUNT)),
    _told(
        "SendLocalListMaxLength", "LocalAuthListCtrlr.ItemsPerMessage", value=str(LONGEST_LIST_COUNT), kind="integer"
    ),
    Setting(("LocalAuthListCtrlr.Entries",), lambda s: str(len(s.tokens.listed)), None, "integer"),
    _told("ReserveConnectorZeroSupported", "ReservationCtrlr.NonEvseSpecific", value="false", kind="boolean"),
    _told("ReservationCtrlr.Enabled", value="true", kind="boolean"),
)
CHARGING = (
    _told("SmartChargingCtrlr.Enabled", value="true", kind="boolean"),
    _told(
        "ChargeProfileMaxStackLevel", "SmartChargingCtrlr.ProfileStackLevel", value=str(MAX_STACK_LEVEL), kind="integer"
    ),
    _told("ChargingScheduleAllowedChargingRateUnit", value="Current,Power"),
    _told("SmartChargingCtrlr.RateUnit", value="A,W", kind="MemberList"),
    _told(
        "ChargingScheduleMaxPeriods", "SmartChargingCtrlr.PeriodsPerSchedule", value=str(MAX_PERIODS), kind="integer"
    ),
    _told(
        "MaxChargingProfilesInstalled",
        "SmartChargingCtrlr.Entries",
        value=str(MAX_PROFILES),
        kind="integer",
        instance="ChargingProfiles",
    ),
    _told("ConnectorSwitch3to1PhaseSupported", "SmartChargingCtrlr.Phases3to1", value="false", kind="boolean"),
    _told(
        "SupportedFeatureProfiles",
        value="Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
    ),
)
SECURITY = (
    Setting(("AuthorizationKey", "SecurityCtrlr.BasicAuthPassword"), None, _set_key),
    Setting(("SecurityProfile", "SecurityCtrlr.SecurityProfile"), _security_profile, None, "integer"),
    Setting(("SecurityCtrlr.Identity",), lambda s: s.identity),
    _kept("CpoName", "SecurityCtrlr.OrganizationName", default="Sunslot"),
    Setting(("SecurityCtrlr.CertificateEntries",), lambda s: str(len(s.certificates.installed)), None, "integer"),
    _told("CertificateStoreMaxLength", value=str(LONGEST_LIST_COUNT)),
    _told("CertificateSignedMaxChainSize", "SecurityCtrlr.MaxCertificateChainSize", value="10000", kind="integer"),
    _told(
        "AdditionalRootCertificateCheck", "SecurityCtrlr.AdditionalRootCertificateCheck", value="false", kind="boolean"
    ),
)
ALL = COMMUNICATION + METERING + SESSIONS + CHARGING + SECURITY
BY_NAME = {name: setting for setting in ALL for name in setting.names}


def names_of(is_201: bool) -> list[str]:
    """Return the names of one dialect: 2.0.1's are "Component.Variable"."""
    return [name for name in BY_NAME if ("." in name) == is_201]
