"""Calls of OCPP 2.0.1 about the device model: variables, reports in parts, monitors."""

from typing import Any

from simulators.calls import Handler, verdict
from simulators.clock import stamp
from simulators.device import Slot, find, slots_of
from simulators.messages import Call, Payload
from simulators.station import Station
from simulators.upkeep import send_later

PART_COUNT = 20
REPORT_BASES = {"ConfigurationInventory", "FullInventory", "SummaryInventory"}
NOTHING = "EmptyResultSet"
MOST_MONITORS_COUNT = 50
HIGHEST_SEVERITY = 9
MONITOR_CRITERIA = {
    "ThresholdMonitoring": {"UpperThreshold", "LowerThreshold"},
    "DeltaMonitoring": {"Delta"},
    "PeriodicMonitoring": {"Periodic", "PeriodicClockAligned"},
}
NO_NUMBERS = {"string", "dateTime", "boolean", "OptionList", "MemberList", "SequenceList"}


def in_parts(station: Station, action: str, key: str, request_id: int, items: list[Payload]) -> None:
    """Send a report in parts, the last without `tbc`, once the answer has left (OCPP 2.0.1 B07.FR.08 and 09)."""
    parts = [items[start : start + PART_COUNT] for start in range(0, len(items), PART_COUNT)]
    for seq_no, part in enumerate(parts):
        payload = {
            "requestId": request_id,
            "generatedAt": stamp(station.clock.now_s),
            "seqNo": seq_no,
            "tbc": seq_no < len(parts) - 1,
            key: part,
        }
        send_later(station, Call(action, payload.copy))


def _report(station: Station, request_id: int, slots: list[Slot]) -> Payload:
    if not slots:
        return {"status": NOTHING}
    in_parts(station, "NotifyReport", "reportData", request_id, [slot.reported(station) for slot in slots])
    return verdict(True)


def _get_base_report(station: Station, payload: Payload) -> Payload:
    base = payload["reportBase"]
    if base not in REPORT_BASES:
        return {"status": "NotSupported"}
    slots = slots_of(station)
    if base == "ConfigurationInventory":
        slots = [slot for slot in slots if slot.setting.write is not None]
    if base == "SummaryInventory":
        slots = [slot for slot in slots if slot.variable in {"Available", "AvailabilityState", "Enabled"}]
    return _report(station, int(payload["requestId"]), slots)


def _get_report(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 B08; of the component criteria only Enabled and Available say something here: everything is."""
    criteria, wanted = payload.get("componentCriteria"), payload.get("componentVariable")
    if criteria is not None and not {"Enabled", "Available", "Active"} & set(criteria):
        return {"status": NOTHING}
    if wanted is None:
        return _report(station, int(payload["requestId"]), slots_of(station))
    found = [slot for item in wanted for slot in find(station, item["component"], item.get("variable"))]
    return _report(station, int(payload["requestId"]), found)


def _one(station: Station, item: Any) -> tuple[Slot | None, str]:
    """Return the slot that an item names, or the status that says what is unknown of it."""
    found = find(station, item["component"], item["variable"])
    if found:
        return found[0], "Accepted"
    return None, "UnknownVariable" if find(station, item["component"], None) else "UnknownComponent"


def _echo(item: Any) -> Payload:
    return {"component": item["component"], "variable": item["variable"]}


def _get_variables(station: Station, payload: Payload) -> Payload:
    results = []
    for item in payload["getVariableData"]:
        slot, status = _one(station, item)
        result: Payload = {"attributeStatus": status, **_echo(item)}
        if item.get("attributeType", "Actual") != "Actual" and slot is not None:
            result["attributeStatus"] = "NotSupportedAttributeType"
        elif slot is not None and slot.setting.read is None:
            result["attributeStatus"] = "Rejected"
        elif slot is not None and slot.setting.read is not None:
            result["attributeValue"] = slot.setting.read(station)
        results.append(result)
    return {"getVariableResult": results}


def _write(station: Station, item: Any) -> str:
    slot, status = _one(station, item)
    if slot is None:
        return status
    if item.get("attributeType", "Actual") != "Actual":
        return "NotSupportedAttributeType"
    if slot.setting.write is None:
        return "Rejected"
    try:
        slot.setting.write(station, str(item["attributeValue"]))
    except ValueError:
        return "Rejected"
    return "Accepted"


def _set_variables(station: Station, payload: Payload) -> Payload:
    results = [{"attributeStatus": _write(station, item), **_echo(item)} for item in payload["setVariableData"]]
    return {"setVariableResult": results}


def _set_monitor(station: Station, item: Any) -> Payload:
    slot, status = _one(station, item)
    result = {"type": item["type"], "severity": int(item["severity"]), **_echo(item)}
    is_periodic = item["type"] in MONITOR_CRITERIA["PeriodicMonitoring"]
    if slot is None:
        return {"status": status, **result}
    if slot.setting.kind in NO_NUMBERS and not is_periodic and item["type"] != "Delta":
        return {"status": "UnsupportedMonitorType", **result}
    known = item.get("id")
    if not 0 <= int(item["severity"]) <= HIGHEST_SEVERITY or (known is not None and known not in station.monitors):
        return {"status": "Rejected", **result}
    if known is None and len(station.monitors) >= MOST_MONITORS_COUNT:
        return {"status": "Rejected", **result}
    number = max(station.monitors, default=0) + 1 if known is None else known
    watch = {"id": number, "transaction": bool(item.get("transaction", False)), "value": float(item["value"])}
    watch |= {"type": item["type"], "severity": int(item["severity"])}
    station.monitors[number] = {**_echo(item), "variableMonitoring": [watch]}
    return {"id": number, "status": "Accepted", **result}


def _set_monitors(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 N04; they are kept and told, but nothing here ever changes by itself."""
    return {"setMonitoringResult": [_set_monitor(station, item) for item in payload["setMonitoringData"]]}


def _clear_monitors(station: Station, payload: Payload) -> Payload:
    results = []
    for number in payload["id"]:
        known = station.monitors.pop(number, None)
        results.append({"id": number, "status": "NotFound" if known is None else "Accepted"})
    return {"clearMonitoringResult": results}


def _monitoring_report(station: Station, payload: Payload) -> Payload:
    wanted = payload.get("componentVariable")
    kinds = {kind for name in payload.get("monitoringCriteria", MONITOR_CRITERIA) for kind in MONITOR_CRITERIA[name]}
    names = None if wanted is None else {item["component"]["name"] for item in wanted}
    found = [
        monitor
        for monitor in station.monitors.values()
        if monitor["variableMonitoring"][0]["type"] in kinds
        and (names is None or monitor["component"]["name"] in names)
    ]
    if not found:
        return {"status": NOTHING}
    in_parts(station, "NotifyMonitoringReport", "monitor", int(payload["requestId"]), found)
    return verdict(True)


def _monitoring_base(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 N05: going back to the factory's monitors forgets all others."""
    if payload["monitoringBase"] in {"FactoryDefault", "HardWiredOnly"}:
        station.monitors.clear()
    return verdict(payload["monitoringBase"] in {"All", "FactoryDefault", "HardWiredOnly"})


def _monitoring_level(station: Station, payload: Payload) -> Payload:
    is_level = 0 <= int(payload["severity"]) <= HIGHEST_SEVERITY
    if is_level:
        station.memory["MonitoringLevel"] = str(payload["severity"])
    return verdict(is_level)


HANDLERS: dict[str, Handler] = {
    "GetVariables": _get_variables,
    "SetVariables": _set_variables,
    "GetBaseReport": _get_base_report,
    "GetReport": _get_report,
    "SetVariableMonitoring": _set_monitors,
    "ClearVariableMonitoring": _clear_monitors,
    "GetMonitoringReport": _monitoring_report,
    "SetMonitoringBase": _monitoring_base,
    "SetMonitoringLevel": _monitoring_level,
}
