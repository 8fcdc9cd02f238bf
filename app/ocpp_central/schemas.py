"""The schemas that the `ocpp` package ships, compiled when first needed, and what fails in a payload as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from itertools import islice
from typing import Any

import orjson
from jsonschema_rs import Draft4Validator, ValidationError

from app.ocpp_central.rpc import Problem

MOST_FAULTS_COUNT = 100

PROBLEMS = {
    "type": Problem.TYPE,
    "required": Problem.OCCURRENCE,
    "minItems": Problem.OCCURRENCE,
    "maxItems": Problem.OCCURRENCE,
    "minProperties": Problem.OCCURRENCE,
    "enum": Problem.PROPERTY,
    "maxLength": Problem.PROPERTY,
    "minLength": Problem.PROPERTY,
    "pattern": Problem.PROPERTY,
    "minimum": Problem.PROPERTY,
    "maximum": Problem.PROPERTY,
    "multipleOf": Problem.PROPERTY,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One violated keyword at `path` (keys and indices from the payload's root); `expected` is the keyword's value."""

    keyword: str
    path: tuple[str | int, ...]
    expected: Any

    @property
    def problem(self) -> Problem:
        """Which error answers it."""
        return PROBLEMS.get(self.keyword, Problem.FORMAT)

    @property
    def detail(self) -> str:
        """Field and reason, without any value that the station sent."""
        where = ".".join(str(step)[:40] for step in self.path) or "payload"
        wanted = f" {self.expected}" if self.keyword in {"type", "required", "maxLength", "enum"} else ""
        return f"{where}: {self.keyword}{wanted}"


class Schemas:
    """The schemas of one OCPP version. A request's file name ends in `request_suffix`."""

    def __init__(self, package: str, request_suffix: str) -> None:
        self._package = package
        self._request_suffix = request_suffix
        self._compiled: dict[str, Draft4Validator] = {}

    @cached_property
    def _names(self) -> frozenset[str]:
        found = (files(self._package) / "schemas").iterdir()
        return frozenset(file.name.removesuffix(".json") for file in found if file.name.endswith(".json"))

    def knows(self, action: str) -> bool:
        """Whether the version has such a request."""
        return f"{action}{self._request_suffix}" in self._names and f"{action}Response" in self._names

    def request_faults(self, action: str, payload: Any) -> list[Fault]:
        """Return what is wrong with a request of a known action, nothing if it is valid."""
        return self._faults(f"{action}{self._request_suffix}", payload)

    def response_faults(self, action: str, payload: Any) -> list[Fault]:
        """Return what is wrong with an answer to a known action, nothing if it is valid."""
        return self._faults(f"{action}Response", payload)

    def _faults(self, name: str, payload: Any) -> list[Fault]:
        validator = self._validator(name)
        if validator.is_valid(payload):
            return []
        return list(islice(_each(validator, payload), MOST_FAULTS_COUNT))

    def _validator(self, name: str) -> Draft4Validator:
        if name not in self._compiled:
            text = (files(self._package) / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
            self._compiled[name] = Draft4Validator(orjson.loads(text), validate_formats=False)
        return self._compiled[name]


def _each(validator: Draft4Validator, payload: Any) -> Iterator[Fault]:
    for error in validator.iter_errors(payload):
        yield _fault(error)


def _fault(error: ValidationError) -> Fault:
    return Fault(error.kind.name, tuple(error.instance_path), error.kind.value)
