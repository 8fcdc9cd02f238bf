"""What is said of a limit in force, and of what holds a raise up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.limits import EvseLedger, LimitEntry
from app.scheduling.holding import holding

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=12)
ZONE = ZoneInfo("Asia/Tokyo")


def entry(number, evse_id, power_w, **more):
    values = {"accepted_at": NOW - timedelta(minutes=2), "session_id": f"s{evse_id}"} | more
    return LimitEntry(number, evse_id, power_w, NOW - timedelta(minutes=2), NOW + timedelta(minutes=8), **values)


def told(*entries, wanted_w=None, **more):
    ledgers = {
        evse_id: EvseLedger(evse_id, 6000.0, 1200.0, tuple(each for each in entries if each.evse_id == evse_id))
        for evse_id in (1, 2, 3)
    }
    return holding(1, "s1", wanted_w, ledgers, NOW, SETTLE, ZONE)


def test_a_limit_in_force_is_told_with_its_end_and_without_one_the_default_holds():
    held = told(entry(1, 1, 3000.0))
    assert (held.limit_w, held.lease_ends_at) == (3000.0, NOW + timedelta(minutes=8))
    assert held.text == "3 kW is in force since 09:58, and ends at 10:08 unless it is renewed"
    assert told().text == "only the default of 1.2 kW holds"


def test_an_order_under_way_or_without_an_answer_is_told():
    under_way = entry(2, 1, 5000.0, accepted_at=None, taken_at=NOW - timedelta(seconds=4))
    assert "5 kW was sent 4 s ago and is not answered yet" in told(under_way).text
    assert "5 kW waits to be sent" in told(entry(2, 1, 5000.0, accepted_at=None)).text
    lost = entry(2, 1, 5000.0, accepted_at=None, taken_at=NOW, failed_at=NOW)
    assert "5 kW was sent and not answered, so it may hold until 10:08" in told(lost).text
    assert "sent" not in told(entry(2, 1, 5000.0, accepted_at=None, is_refused=True)).text


def test_a_raise_says_what_it_may_be_waiting_for():
    assert told(wanted_w=5000.0).text.endswith("the plan wants 5 kW")
    open_one = entry(4, 2, 2000.0, accepted_at=None)
    coming_down = (entry(5, 3, 6000.0), entry(6, 3, 2000.0, accepted_at=NOW - timedelta(seconds=5)))
    text = told(open_one, *coming_down, wanted_w=5000.0).text
    assert "may wait for 1 other station to answer and power that others have just given up, free at 10:00:07" in text
    assert "wait" not in told(open_one, *coming_down, wanted_w=1200.0).text
