import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.facts import Fact, StationReported, VariablesReported
from app.ocpp_central.rpc import Refusal
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201.handlers import HANDLERS

V201 = Ocpp201()
NOW = datetime(2026, 4, 1, 7, 0, 30, tzinfo=UTC)
SCHEMAS = files("ocpp.v201") / "schemas"
ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text(max_size=9)
    | st.lists(st.text(max_size=3), max_size=2)
)
LARGEST_DETAIL = 2_000_000


def like(schema, definitions):
    """Payloads in the shape of a schema, with something odd in any place now and then."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    kind = schema.get("type")
    if "enum" in schema:
        right = st.sampled_from(schema["enum"])
    elif kind == "object":
        parts = {
            key: like(each, definitions) for key, each in schema.get("properties", {}).items() if key != "customData"
        }
        right = st.fixed_dictionaries({}, optional=parts)
    elif kind == "array":
        right = st.lists(like(schema["items"], definitions), max_size=2)
    else:
        simple = {
            "integer": st.integers(-(2**40), 2**40),
            "number": st.floats(allow_nan=False, allow_infinity=False),
            "boolean": st.booleans(),
        }
        right = simple.get(kind, st.text(max_size=12) | st.just("2026-04-01T07:00:00Z"))
    return st.integers(0, 9).flatmap(lambda number: ODD if number == 0 else right)


@pytest.mark.parametrize("action", sorted(HANDLERS))
def test_whatever_comes_is_facts_or_a_refusal_and_bounded(action):
    schema = json.loads((SCHEMAS / f"{action}Request.json").read_text(encoding="utf-8-sig"))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(like(schema, schema.get("definitions", {})).filter(lambda each: isinstance(each, dict)))
    def hear(payload):
        try:
            facts = V201.decode(action, payload, NOW).facts
        except Refusal:
            return
        assert facts
        for fact in facts:
            assert isinstance(fact, get_args(Fact))
            if isinstance(fact, StationReported):
                assert len(orjson.dumps(fact.detail)) < LARGEST_DETAIL
                assert fact.request_id is None or 0 <= fact.request_id < 2**31
            if isinstance(fact, VariablesReported):
                assert len(fact.variables) <= 500

    hear()
