"""What is fast must say what is plain: shortcuts of the busiest paths against slow readings of the same rules."""

import json
from typing import Any

import plain_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ocpp_central import samples
from app.ocpp_central.repair import as_number
from app.ocpp_central.rpc import DEEPEST_NESTING, Call, Malformed, parse
from app.ocpp_central.samples import RawSample, read

ODD: st.SearchStrategy[Any] = st.sampled_from([None, 0, 1, True, False, 1.0, "", [], {}, ["L1"], "x" * 300, 2**70])
MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
    "Power.Factor",
)
UNITS = ("Wh", "kWh", "KWH", "W", "kW", "A", "a", "V", "var", "Percent", "Hz")
PHASES = ("L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1")
NUMBERS = st.one_of(
    st.floats(),
    st.integers(),
    st.floats().map(str),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(["1,5", " 7.25 ", "1_0", "1,000.5", "1.5.2", "NaN", "inf", "-0", "1e400", "٣", " " * 50 + "3"]),
    st.text("0123456789.,-+eE_ ", max_size=50),
    ODD,
)
RAWS = st.builds(
    RawSample,
    NUMBERS,
    st.sampled_from(MEASURANDS) | ODD,
    st.sampled_from(UNITS) | ODD,
    st.sampled_from(PHASES) | ODD,
    st.sampled_from(("Outlet", "Cable", "Inlet", "EV")) | ODD,
    st.sampled_from(("Sample.Periodic", "Sample.Clock", "Trigger", "Transaction.Begin", "Other")) | ODD,
    st.integers(-12, 12) | ODD,
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.none() | RAWS, max_size=12))
def test_samples_read_in_one_pass_say_what_the_rules_say_one_by_one(raws):
    assert repr(read(raws)) == repr(plain_samples.read([raw for raw in raws if raw is not None]))


@given(st.lists(RAWS, max_size=12))
def test_remembered_spellings_say_the_same_again(raws):
    samples._labels.clear()
    assert repr(read(raws)) == repr(read(raws))


@given(NUMBERS)
def test_numbers_are_read_as_plainly(value):
    assert repr(as_number(value)) == repr(plain_samples.as_number(value))


def test_remembered_spellings_are_few_and_short():
    read([RawSample(1, f"own.{number}") for number in range(3 * samples.MOST_SPELLINGS_COUNT)])
    read([RawSample(1, "x" * 5000)])
    assert len(samples._labels) <= samples.MOST_SPELLINGS_COUNT
    assert all(len(part or "") < 100 for spelling in samples._labels for part in spelling)


def clean(value: Any, depth: int = 0) -> Any:
    """The plain rule: no NUL anywhere, and nothing but texts below the deepest level."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if depth > DEEPEST_NESTING:
        raise ValueError
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item, depth + 1) for key, item in value.items()}
    return value


def nested(value: Any, levels: list[bool]) -> Any:
    for is_list in levels:
        value = [value, 1] if is_list else {"a\x00},{[": value, "b": []}
    return value


LEAVES = st.sampled_from(
    ["", "},{", "}, {" * 30, "\x00", "\\u0000", "[[[{{{", 1, None, [], {}, [{}] * 40, [{"a": 1}] * 40]
)


@settings(max_examples=300, deadline=None)
@given(
    LEAVES,
    st.lists(st.booleans(), max_size=DEEPEST_NESTING + 3) | st.lists(st.booleans(), min_size=20, max_size=30),
    st.sampled_from([(", ", ": "), (",", ":")]),
)
def test_depth_and_nul_characters_are_judged_as_by_walking_through_the_whole_frame(leaf, levels, separators):
    frame = [2, "id", "Heartbeat", {"inner": nested(leaf, levels)}]
    try:
        expected: Any = Call("id", "Heartbeat", clean(frame)[3])
    except ValueError:
        expected = Malformed
    read_frame = parse(json.dumps(frame, separators=separators))
    assert read_frame == expected if isinstance(expected, Call) else isinstance(read_frame, Malformed)
