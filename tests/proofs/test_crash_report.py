import pytest

from proofs.crash.controller import events_of
from proofs.crash.report import wrong_with

PERFECT = {
    "violations": [],
    "kills": 3,
    "ways_back": [{"ready_s": 4.0, "first_order_s": 6.0}] * 3,
    "ledger_full_share": 0.8,
    "ledger_over_share": 0.2,
    "surprises": {"deaf": 1},
}
VIOLATION = {"node": "feeder-4", "conductor": "L1", "peak": 210.0, "rating": 205.0}


def test_a_perfect_run_has_nothing_wrong():
    assert wrong_with(PERFECT) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"violations": [VIOLATION]}, "feeder-4 L1: 210.0 of 205.0"),
        ({"kills": 0, "ways_back": []}, "never killed"),
        ({"ways_back": [{"ready_s": None, "first_order_s": None}]}, "did not come back"),
        (
            {"ways_back": [{"ready_s": 4.0, "first_order_s": 6.0}, {"ready_s": 4.0, "first_order_s": None}]},
            "without sending",
        ),
        ({"ledger_full_share": 0.1}, "did not bind"),
        ({"surprises": {}}, "no station surprised"),
    ],
)
def test_a_violation_and_a_run_that_proves_nothing_are_wrong(change, word):
    assert any(word in line for line in wrong_with(PERFECT | change))


def test_a_ledger_that_a_surprise_holds_over_its_limit_may_have_nothing_to_send():
    ways_back = [{"ready_s": 4.0, "first_order_s": None}]
    assert wrong_with(PERFECT | {"ways_back": ways_back, "ledger_over_share": 0.8}) == []
    assert wrong_with(PERFECT | {"ways_back": ways_back, "ledger_over_share": 0.4}) != []


def test_what_the_controller_logged_is_counted_by_event():
    line = "timestamp=2026-11-24T13:00:00Z level=warning event=limit_unknown station_id=A order_no=7\n"
    assert events_of(2 * line + "Traceback\n") == {"warning limit_unknown": 2}
