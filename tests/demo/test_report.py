import pytest
from rich.console import Console

from app.demo.report import figures, table, verdicts
from app.demo.sizing import default_limit_w

DAY = "2019-05-14T"
SUN_W = [0.0] * 32 + [9000.0] * 40 + [0.0] * 24


def prepared(cars: int = 2) -> dict:
    """Return a park of as many stations as cars, each with a car from 8 to 17 that needs 12 kWh."""
    return {
        "day": "2019-05-14",
        "attendance_share": 1.0,
        "starts_at": f"{DAY}07:00:00+09:00",
        "ends_at": f"{DAY}19:00:00+09:00",
        "voltage_v": 200,
        "stations": [{"station_id": f"CP-{n}", "max_current_a": 30, "phase_count": 1} for n in range(cars)],
        "commuters": [
            {
                "commuter_id": f"C-{n}",
                "station_id": f"CP-{n}",
                "arrives_at": f"{DAY}08:00:00+09:00",
                "leaves_at": f"{DAY}17:00:00+09:00",
                "need_wh": 12_000.0,
                "max_power_w": 6000.0,
                "taper": [],
            }
            for n in range(cars)
        ],
        "sun": {
            "starts_at": f"{DAY}00:00:00+09:00",
            "step_s": 900,
            "pv_w": SUN_W,
            "building_w": [0.0] * 96,
        },
    }


def told(delivered_wh: float = 12_000.0, **more: object) -> dict:
    session = {
        "arrived_at": f"{DAY}08:00:00+09:00",
        "left_at": f"{DAY}17:00:00+09:00",
        "declared_at": f"{DAY}17:00:00+09:00",
        "requested_wh": 12_000.0,
        "delivered_wh": delivered_wh,
    }
    return {
        "sessions": [{**session, "commuter_id": f"C-{n}"} for n in range(2)],
        "energy_requested_wh": 24_000.0,
        "energy_delivered_wh": 2 * delivered_wh,
        "solar_wh": 2 * delivered_wh,
        "grid_wh": 0.0,
        "peak_site_w": 6000.0,
        "minutes_at_limit": 10.0,
        "limit_violations": 0,
        "limits_received": 4,
        "limits_accepted": 4,
        "bookings": {"made": 1, "refused": 0},
        "intents": {"made": 1, "failed": 0},
        "outages": [],
        "messages_sent": 9,
        "messages_acked": 9,
        "messages_lost": 0,
        "uncontrolled": {
            "delivered_wh": 24_000.0,
            "solar_wh": 20_000.0,
            "grid_wh": 4000.0,
            "peak_site_w": 12_000.0,
            "minutes_over_limit": 90.0,
        },
        **more,
    }


def judged(report: dict, **more: object) -> dict:
    day = figures(prepared(), report, 6000.0)
    return {**day, "stations": 2, "minutes_limit_allotted": 10, "truth_differences": [], **more}


def test_a_perfect_day_has_nothing_wrong_and_prints_its_table():
    day = judged(told())
    assert verdicts(day) == []
    assert (day["solar_share"], day["perfect_foresight_solar_share"]) == (1.0, 1.0)
    assert day["departures_met_share"] == 1.0
    console = Console(record=True, width=120)
    console.print(table(day))
    assert "perfect foresight" in console.export_text()


@pytest.mark.parametrize(
    ("report", "more", "says"),
    [
        ({"solar_wh": 23_000.0}, {}, "below 0.97 × perfect foresight"),
        ({"limit_violations": 2}, {}, "broken 2 times"),
        ({"messages_lost": 1}, {}, "1 messages were lost"),
        ({}, {"truth_differences": ["CP-1 transaction 7 lost"]}, "CP-1 transaction 7 lost"),
        ({"sessions": []}, {}, "nobody charged"),
    ],
)
def test_every_fault_is_told(report, more, says):
    assert any(says in line for line in verdicts(judged(told(**report), **more)))


def test_a_stayer_who_could_have_been_filled_and_was_not_is_told_with_half_a_kilowatt_hour_of_grace():
    assert verdicts(judged(told(11_600.0))) == []
    lines = verdicts(judged(told(11_400.0)))
    assert [line.split()[0] for line in lines] == ["C-0", "C-1"]


def test_who_left_early_is_not_promised_anything():
    report = told(5000.0)
    for session in report["sessions"]:
        session["left_at"] = f"{DAY}09:00:00+09:00"
    assert judged(report)["departures_missed"] == []


def test_the_default_limit_is_at_most_half_of_the_nameplates_and_leaves_everybody_time():
    assert default_limit_w(prepared(2)) == 10_000.0  # half, and what one surprised station could draw
    limit_w = default_limit_w(prepared(8))
    assert 8 * 12_000 / 9 * 1.2 < limit_w <= 8 * 6000 / 2 + 4800
    assert default_limit_w(prepared(20)) <= 20 * 6000 / 2
