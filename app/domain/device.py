"""What a station is made of, as it says itself: its variables (OCPP 2.0.1 device model; 1.6: configuration keys)."""

import re
from dataclasses import dataclass

NAME = re.compile(r"([^.\[\]]+)(?:\[([^\[\]]+)\])?\.([^.\[\]]+)(?:\[([^\[\]]+)\])?")


@dataclass(frozen=True, slots=True)
class Variable:
    """One attribute of one variable (OCPP 2.0.1 part 1, device model).

    A configuration key of OCPP 1.6 is a `variable` of the component "". `value` None: not readable, or not told.
    `evse_number` and `connector_number` None: the station as a whole. `values` lists what it may be set to, if told:
    words with commas between them, or "lowest..highest" for a number (either may be missing).
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

    @property
    def name(self) -> str:
        """What commands call it: the key of OCPP 1.6, or "Component[instance].Variable[instance]"; not the EVSE."""
        component = _with_instance(self.component, self.component_instance)
        return f"{component}{'.' if component else ''}{_with_instance(self.variable, self.variable_instance)}"


@dataclass(frozen=True, slots=True)
class VariableFilter:
    """Which variables; None: all. EVSE 0: those of the station as a whole."""

    component: str | None = None
    variable: str | None = None
    evse_number: int | None = None


def named(name: str) -> Variable:
    """Return the variable of OCPP 2.0.1 that commands call so, its value unknown; raises ValueError for no name."""
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError('must be "Component.Variable", instances in square brackets')
    component, component_instance, variable, variable_instance = found.groups(default="")
    return Variable(
        component, variable, None, component_instance=component_instance, variable_instance=variable_instance
    )


def _with_instance(name: str, instance: str) -> str:
    return f"{name}[{instance}]" if instance else name
