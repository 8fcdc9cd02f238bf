"""What can be read and written of a station's configuration, under the names of both dialects."""

from collections.abc import Callable
from dataclasses import dataclass

from simulators.profiles import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from simulators.station import Station

MIN_KEY_LENGTH, MAX_KEY_LENGTH = 16, 40
MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `read` None is write-only, `write` None read-only; `write` raises ValueError for a bad value."""

    names: tuple[str, ...]
    read: Callable[[Station], str] | None
    write: Callable[[Station, str], None] | None = None


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


def _set_attempts(station: Station, value: str) -> None:
    station.outbox.attempt_limit = max(1, _count(value))


def _set_retry(station: Station, value: str) -> None:
    station.outbox.retry_interval_s = _count(value)


def _set_key(station: Station, value: str) -> None:
    if not MIN_KEY_LENGTH <= len(value) <= MAX_KEY_LENGTH:
        raise ValueError("a key has 16 to 40 characters")
    if station.line is not None:
        station.line.key = value


def _fixed(value: str) -> Callable[[Station], str]:
    return lambda _: value


ALL = (
    Setting(
        ("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval"), lambda s: str(s.heartbeat.interval_s), _set_heartbeat
    ),
    Setting(
        ("MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval"),
        lambda s: str(s.meter_interval_s),
        _set_metering,
    ),
    Setting(
        ("TransactionMessageAttempts", "OCPPCommCtrlr.MessageAttempts"),
        lambda s: str(s.outbox.attempt_limit),
        _set_attempts,
    ),
    Setting(
        ("TransactionMessageRetryInterval", "OCPPCommCtrlr.MessageAttemptInterval"),
        lambda s: str(s.outbox.retry_interval_s),
        _set_retry,
    ),
    Setting(("AuthorizationKey", "SecurityCtrlr.BasicAuthPassword"), None, _set_key),
    Setting(("NumberOfConnectors",), lambda s: str(len(s.bays))),
    Setting(("AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart"), _fixed("false")),
    Setting(("ClockAlignedDataInterval", "AlignedDataCtrlr.Interval"), _fixed("0")),
    Setting(("ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut"), _fixed("120")),
    Setting(("MeterValuesSampledData", "SampledDataCtrlr.TxUpdatedMeasurands"), _fixed(MEASURANDS)),
    Setting(("StopTransactionOnEVSideDisconnect", "TxCtrlr.StopTxOnEVSideDisconnect"), _fixed("true")),
    Setting(("StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId"), _fixed("true")),
    Setting(("TxCtrlr.TxStartPoint",), _fixed("Authorized")),
    Setting(("TxCtrlr.TxStopPoint",), _fixed("EVConnected,Authorized")),
    Setting(
        ("SupportedFeatureProfiles",),
        _fixed("Core,SmartCharging,RemoteTrigger"),
    ),
    Setting(("SmartChargingCtrlr.Enabled",), _fixed("true")),
    Setting(("ChargeProfileMaxStackLevel", "SmartChargingCtrlr.ProfileStackLevel"), _fixed(str(MAX_STACK_LEVEL))),
    Setting(("ChargingScheduleAllowedChargingRateUnit",), _fixed("Current,Power")),
    Setting(("SmartChargingCtrlr.RateUnit",), _fixed("A,W")),
    Setting(("ChargingScheduleMaxPeriods", "SmartChargingCtrlr.PeriodsPerSchedule"), _fixed(str(MAX_PERIODS))),
    Setting(("MaxChargingProfilesInstalled", "SmartChargingCtrlr.Entries"), _fixed(str(MAX_PROFILES))),
)
BY_NAME = {name: setting for setting in ALL for name in setting.names}


def names_of(is_201: bool) -> list[str]:
    """Return the names of one dialect: 2.0.1's are "Component.Variable"."""
    return [name for name in BY_NAME if ("." in name) == is_201]
