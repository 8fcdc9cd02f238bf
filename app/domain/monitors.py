"""Commands about variable monitors: what a station watches of its own accord (OCPP 2.0.1 N02 to N08)."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.device import Variable


class MonitoringBase(StrEnum):
    """Which monitors are in force (OCPP 2.0.1 N05)."""

    ALL = "all"
    FACTORY = "factory"
    HARD_WIRED = "hard_wired"


@dataclass(frozen=True, slots=True)
class SetMonitoringBase:
    """SetMonitoringBase (OCPP 2.0.1 N05)."""

    base: MonitoringBase


@dataclass(frozen=True, slots=True)
class SetMonitoringLevel:
    """SetMonitoringLevel (OCPP 2.0.1 N06): report events up to this severity (0: danger … 9: debug)."""

    severity: int


class MonitorKind(StrEnum):
    """What a monitor watches for (OCPP 2.0.1 MonitorEnumType)."""

    UPPER_THRESHOLD = "upper_threshold"
    LOWER_THRESHOLD = "lower_threshold"
    DELTA = "delta"
    PERIODIC = "periodic"
    PERIODIC_CLOCK_ALIGNED = "periodic_clock_aligned"


@dataclass(frozen=True, slots=True)
class Monitor:
    """One variable monitor; `value` is a threshold in the variable's own unit, or seconds for the periodic kinds."""

    variable: Variable
    kind: MonitorKind
    value: str
    severity: int
    monitor_id: int | None = None


@dataclass(frozen=True, slots=True)
class SetMonitors:
    """SetVariableMonitoring (OCPP 2.0.1 N04). Accepted.detail: {"monitors": [{"monitor_id", "status"}, …]}."""

    monitors: tuple[Monitor, ...]


@dataclass(frozen=True, slots=True)
class ClearMonitors:
    """ClearVariableMonitoring (OCPP 2.0.1 N06). Accepted.detail: {"monitors": [{"monitor_id", "status"}, …]}."""

    monitor_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadMonitors:
    """GetMonitoringReport (OCPP 2.0.1 N02): `StationReported` facts of kind MONITORS follow."""

    request_id: int


MonitorCommand = SetMonitoringBase | SetMonitoringLevel | SetMonitors | ClearMonitors | ReadMonitors
