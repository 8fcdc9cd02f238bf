"""Variable monitors, as they are said to an OCPP 2.0.1 station."""

from collections.abc import Callable
from typing import Any

from ocpp.v201 import call, datatypes, enums

from app.domain.commands import Accepted, Command, Outcome, Rejected, Unsupported
from app.domain.errors import Invalid
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
from app.ocpp_central.dialect import Spelling, text_of
from app.ocpp_central.repair import as_number
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import answers
from app.ocpp_central.v201.naming import component_of, variable_of
from app.ocpp_central.v201.reading import bounded_of, dicts_of

BASES = {
    MonitoringBase.ALL: enums.MonitorBaseEnumType.all,
    MonitoringBase.FACTORY: enums.MonitorBaseEnumType.factory_default,
    MonitoringBase.HARD_WIRED: enums.MonitorBaseEnumType.hard_wired_only,
}
KINDS = {
    MonitorKind.UPPER_THRESHOLD: enums.MonitorEnumType.upper_threshold,
    MonitorKind.LOWER_THRESHOLD: enums.MonitorEnumType.lower_threshold,
    MonitorKind.DELTA: enums.MonitorEnumType.delta,
    MonitorKind.PERIODIC: enums.MonitorEnumType.periodic,
    MonitorKind.PERIODIC_CLOCK_ALIGNED: enums.MonitorEnumType.periodic_clock_aligned,
}
NOT_KNOWN = {"UnknownComponent", "UnknownVariable", "UnsupportedMonitorType"}


def _set(command: SetMonitors) -> Any:
    """OCPP 2.0.1 N04."""
    if not command.monitors:
        raise Invalid("names no monitor", field="monitors")
    return call.SetVariableMonitoring([_monitor(each) for each in command.monitors])


def _monitor(monitor: Monitor) -> datatypes.SetMonitoringDataType:
    value = as_number(monitor.value)
    variable = variable_of(monitor.variable)
    if value is None:
        raise Invalid("must be a number", field="value")
    if variable is None:
        raise Invalid("names no variable", field="variable")
    return datatypes.SetMonitoringDataType(
        value=value,
        type=KINDS[monitor.kind],
        severity=monitor.severity,
        component=component_of(monitor.variable),
        variable=variable,
        id=monitor.monitor_id,
    )


def _clear(command: ClearMonitors) -> Any:
    """OCPP 2.0.1 N06."""
    if not command.monitor_ids:
        raise Invalid("names no monitor", field="monitor_ids")
    return call.ClearVariableMonitoring(list(command.monitor_ids))


def _each_of(key: str) -> Callable[[Any, Payload], Outcome]:
    """Return a reader of one result for each monitor: a success where any of them is one."""

    def read(_command: Any, payload: Payload) -> Outcome:
        results = [
            {"monitor_id": bounded_of(each, "id"), "status": status}
            for each in dicts_of(payload, key)
            if (status := text_of(each, "status", 50))
        ]
        statuses = [each["status"] for each in results]
        if not statuses:
            raise ValueError("the answer has no result")
        if "Accepted" in statuses:
            return Accepted({"monitors": results})
        word = str(statuses[0])
        return Unsupported(word) if NOT_KNOWN.issuperset(statuses) else Rejected(word)

    return read


SPELLINGS: dict[type[Command], Spelling] = {
    SetMonitoringBase: Spelling(
        ("SetMonitoringBase",), lambda command: call.SetMonitoringBase(BASES[command.base]), answers.plain
    ),
    SetMonitoringLevel: Spelling(
        ("SetMonitoringLevel",), lambda command: call.SetMonitoringLevel(command.severity), answers.plain
    ),
    SetMonitors: Spelling(
        ("SetVariableMonitoring",),
        _set,
        _each_of("setMonitoringResult"),
        note="lossy: no monitor that is active only while a transaction runs",
    ),
    ClearMonitors: Spelling(("ClearVariableMonitoring",), _clear, _each_of("clearMonitoringResult")),
    ReadMonitors: Spelling(
        ("GetMonitoringReport",), lambda command: call.GetMonitoringReport(command.request_id), answers.plain
    ),
}
