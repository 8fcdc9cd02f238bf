"""Payloads by the standard's schemas, and payloads that were such before somebody bent them; for hypothesis."""

import json
from functools import cache, partial
from importlib.resources import files
from typing import Any

from cases import at
from hypothesis import strategies as st

MOST_ITEMS = 2
READABLE = st.characters(exclude_categories=("Cs", "Cc"))
STAMPS = st.sampled_from(
    [at(), at(seconds=30), at(days=-400), at(days=400), "2026-04-01T07:00:00", "222222017-01-01T00:00:00Z", "", "now"]
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        [0, -1, 2**31, 2**63, 1634030126, 1e308, "NaN", "1e999", "x" * 600, "\x00", "\x1b[31m", "__proto__"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@cache
def schema_of(package: str, name: str) -> dict[str, Any]:
    text = (files(package) / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
    return json.loads(text)


@cache
def payloads(package: str, name: str) -> st.SearchStrategy[Any]:
    """Payloads that are valid by a schema (but for formats)."""
    schema = schema_of(package, name)
    return _form(schema, schema.get("definitions", {}))


def _form(schema: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return st.deferred(lambda: _form(known[schema["$ref"].rpartition("/")[2]], known))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        fields = {name: _form(field, known) for name, field in schema.get("properties", {}).items()}
        required = {name: fields.pop(name) for name in schema.get("required", ()) if name in fields}
        return st.fixed_dictionaries(required, optional=fields)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", MOST_ITEMS), max(least, MOST_ITEMS))
        return st.lists(_form(schema.get("items", {}), known), min_size=least, max_size=most)
    if kind == "string":
        return (
            STAMPS
            if schema.get("format") == "date-time"
            else st.text(READABLE, min_size=1, max_size=min(schema.get("maxLength", 40), 40))
        )
    if kind == "integer":
        return st.integers(int(schema.get("minimum", -(2**31))), int(schema.get("maximum", 2**31)))
    if kind == "number":
        return (
            st.integers(-(10**7), 10**7).map(lambda tenths: tenths / 10)
            if "multipleOf" in schema
            else st.floats(
                min_value=schema.get("minimum"), max_value=schema.get("maximum"), allow_nan=False, allow_infinity=False
            )
        )
    return st.booleans() if kind == "boolean" else JUNK


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(copy[path[0]], path[1:], change)
    return copy


@st.composite
def bent_payloads(draw: Any, package: str, name: str) -> dict[str, Any]:
    """A valid payload with up to three members dropped, replaced by junk, or added; an object it stays."""
    payload = draw(payloads(package, name))
    for _ in range(draw(st.integers(0, 3))):
        path, kind = draw(st.sampled_from(places(payload))), draw(st.sampled_from(["drop", "replace", "add"]))
        if kind == "add" or not path:
            payload = _changed(payload, path, partial(_with, key=draw(st.text(max_size=8)), junk=draw(JUNK)))
        elif kind == "drop":
            payload = _changed(payload, path[:-1], partial(_without, key=path[-1]))
        else:
            payload = _changed(payload, path, partial(_instead, junk=draw(JUNK)))
    return payload


def _with(holder: Any, key: str, junk: Any) -> Any:
    return {**holder, key: junk} if isinstance(holder, dict) else holder


def _instead(_: Any, junk: Any) -> Any:
    return junk


def _without(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict):
        return {name: item for name, item in holder.items() if name != key}
    return [item for index, item in enumerate(holder) if index != key]
