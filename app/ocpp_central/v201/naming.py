"""How components and variables are named to and by an OCPP 2.0.1 station."""

from typing import Any

from ocpp.v201 import datatypes

from app.domain.device import Variable, named
from app.domain.errors import Invalid
from app.ocpp_central.v201.reading import instance_of, name_of


def parsed(name: str, field: str) -> tuple[Any, Any]:
    """Return the component and variable of "Component.Variable"; either may have an "[instance]". Raises Invalid."""
    try:
        found = named(name)
    except ValueError as unreadable:
        raise Invalid(str(unreadable), field=field) from None
    return component_of(found), variable_of(found)


def spelled_name(result: Any) -> str:
    """Return the name of an answer's component and variable, as `parsed` reads it."""
    return ".".join(
        f"{name_of(result, key)}[{instance}]" if (instance := instance_of(result, key)) else name_of(result, key)
        for key in ("component", "variable")
    )


def component_of(variable: Variable) -> Any:
    """Return the component that a variable belongs to."""
    evse = None
    if variable.evse_number is not None:
        evse = datatypes.EVSEType(variable.evse_number, variable.connector_number)
    return datatypes.ComponentType(variable.component, variable.component_instance or None, evse)


def variable_of(variable: Variable) -> Any:
    """Return the variable itself; None for all of its component's."""
    if not variable.variable:
        return None
    return datatypes.VariableType(variable.variable, variable.variable_instance or None)
