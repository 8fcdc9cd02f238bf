"""What a station is made of, as it says itself: its variables (OCPP 2.0.1 device model; 1.6: configuration keys)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """One attribute of one variable (OCPP 2.0.1 part 1, device model).

    A configuration key of OCPP 1.6 is a `variable` of the component "". `value` None: not readable, or not told.
    `evse_number` and `connector_number` None: the station as a whole. `values` lists what it may be set to, if told.
    """

    component: str
    variable: str
    value: str | None
    is_writable: bool = False
    component_instance: str = ""
    variable_instance: str = ""
    evse_number: int | None = None
    connector_number: int | None = None
    attribute: str = "Actual"
    unit: str = ""
    values: str = ""
