"""The device model of OCPP 2.0.1 (part 1, §4): a station's settings and hardware as variables of components."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulators.messages import Payload
from simulators.settings import BY_NAME, Read, Setting, Write, names_of
from simulators.station import Station

CONNECTOR_TYPE = "cType1"
ONLY_CONNECTOR = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Which component: its name and where it sits (EVSE and connector 0: the station as a whole)."""

    component: str
    evse_number: int = 0
    connector_number: int = 0

    def spelled(self) -> Payload:
        """Return it as ComponentType."""
        if not self.evse_number:
            return {"name": self.component}
        evse = {"id": self.evse_number}
        if self.connector_number:
            evse["connectorId"] = self.connector_number
        return {"name": self.component, "evse": evse}


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable in its place."""

    place: Place
    variable: str
    setting: Setting

    def reported(self, station: Station) -> Payload:
        """Return it as ReportDataType (OCPP 2.0.1 B07)."""
        setting = self.setting
        mutability = "ReadWrite" if setting.write is not None else "ReadOnly"
        attribute: Payload = {"type": "Actual", "mutability": "WriteOnly" if setting.read is None else mutability}
        if setting.read is not None:
            attribute["value"] = setting.read(station)
        characteristics: Payload = {"dataType": setting.kind, "supportsMonitoring": True}
        characteristics |= {"unit": setting.unit} if setting.unit else {}
        characteristics |= {"valuesList": setting.values} if setting.values else {}
        variable = {"name": self.variable} | ({"instance": setting.instance} if setting.instance else {})
        return {
            "component": self.place.spelled(),
            "variable": variable,
            "variableAttribute": [attribute],
            "variableCharacteristics": characteristics,
        }


def _part(
    place: Place, name: str, read: Read, kind: str = "string", unit: str = "", write: Write | None = None
) -> Slot:
    return Slot(place, name, Setting((f"{place.component}.{name}",), read, write, kind, unit=unit))


def _fixed_part(place: Place, name: str, value: str, kind: str = "string", unit: str = "") -> Slot:
    return _part(place, name, lambda _: value, kind, unit)


def _hardware(station: Station) -> Iterator[Slot]:
    whole = Place("ChargingStation")
    yield _fixed_part(whole, "VendorName", "Sunslot")
    yield _fixed_part(whole, "Model", "Simulated AC")
    yield _part(whole, "SerialNumber", lambda s: s.identity[:25])
    yield _part(whole, "FirmwareVersion", lambda s: s.workshop.firmware)
    yield _part(whole, "SupplyPhases", lambda s: str(s.profiles.electrical.phase_count), "integer")
    for number, bay in station.bays.items():
        phases = str(bay.evse.phase_count)
        evse, connector = Place("EVSE", number), Place("Connector", number, ONLY_CONNECTOR)
        yield _part(evse, "AvailabilityState", lambda s, n=number: _availability(s, n))  # type: ignore[misc]
        yield _fixed_part(evse, "Available", "true", "boolean")
        yield _fixed_part(evse, "SupplyPhases", phases, "integer")
        yield _fixed_part(evse, "Power", f"{bay.evse.nameplate_w:.0f}", "decimal", "W")
        yield _fixed_part(connector, "Available", "true", "boolean")
        yield _fixed_part(connector, "ConnectorType", CONNECTOR_TYPE)
        yield _fixed_part(connector, "SupplyPhases", phases, "integer")


def _availability(station: Station, evse_number: int) -> str:
    bay = station.bays[evse_number]
    if not bay.is_operative:
        return "Unavailable"
    return "Available" if bay.evse.car is None else "Occupied"


def slots_of(station: Station) -> list[Slot]:
    """Return everything that the station can tell of itself."""
    controllers = []
    for name in names_of(is_201=True):
        component, _, variable = name.partition(".")
        controllers.append(Slot(Place(component), variable, BY_NAME[name]))
    return [*controllers, *_hardware(station)]


def find(station: Station, component: Any, variable: Any) -> list[Slot]:
    """Return the slots that a ComponentType and a VariableType (None: any) name; raises KeyError, TypeError."""
    evse = component.get("evse")
    name, number = component["name"], 0 if evse is None else int(evse["id"])
    found = [slot for slot in slots_of(station) if slot.place.component == name]
    if evse is not None or any(not slot.place.evse_number for slot in found):
        found = [slot for slot in found if slot.place.evse_number == number]
    if variable is None:
        return found
    instance = variable.get("instance")
    return [slot for slot in found if slot.variable == variable["name"] and instance in {None, slot.setting.instance}]
