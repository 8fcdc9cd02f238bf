"""How components and variables are named to and by an OCPP 2.0.1 station."""

import re
from typing import Any

from ocpp.v201 import datatypes

from app.domain.device import Variable
from app.domain.errors import Invalid
from app.ocpp_central.v201.reading import instance_of, name_of

PART = re.compile(r"([^\[\].]+)(?:\[([^\[\]]+)\])?")


def parsed(name: str, field: str) -> tuple[Any, Any]:
    """Return the component and variable of "Component.Variable"; either may have an "[instance]". Raises Invalid."""
    component, dot, variable = name.partition(".")
    parts = (PART.fullmatch(component), PART.fullmatch(variable))
    if not (dot and parts[0] and parts[1]):
        raise Invalid('must be "Component.Variable"', field=field)
    return datatypes.ComponentType(*parts[0].groups()), datatypes.VariableType(*parts[1].groups())


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
