"""Forecast services: each documented answer, made by hand, reads as our steps; a bad one names what is wrong."""

import copy
from datetime import UTC, datetime

import pytest

from app.domain.errors import Invalid
from app.sources.clear_sky import SYSTEM_SHARE, Panels
from app.sources.feeds import FEEDS, Place, check

NOW = datetime(2026, 4, 1, 2, 5, tzinfo=UTC)
PANELS = Panels(35.68, 139.77, 50_000.0, 25.0, 135.0)
PLACE = Place(PANELS, "ab12-cd34", "s3cret")

OPEN_METEO = {
    "latitude": 35.7,
    "longitude": 139.75,
    "generationtime_ms": 0.03,
    "utc_offset_seconds": 0,
    "timezone": "GMT",
    "timezone_abbreviation": "GMT",
    "elevation": 17.0,
    "minutely_15_units": {"time": "iso8601", "global_tilted_irradiance": "W/m²"},
    "minutely_15": {
        "time": ["2026-04-01T02:00", "2026-04-01T02:15", "2026-04-01T02:30", "2026-04-01T02:45"],
        "global_tilted_irradiance": [400.0, 500.0, 600.0, None],
    },
}
SOLCAST = {
    "forecasts": [
        {
            "pv_estimate": 20.0,
            "pv_estimate10": 12.0,
            "pv_estimate90": 24.0,
            "period_end": "2026-04-01T02:30:00.0000000Z",
            "period": "PT30M",
        },
        {
            "pv_estimate": 10.0,
            "pv_estimate10": 4.0,
            "pv_estimate90": 14.0,
            "period_end": "2026-04-01T03:00:00.0000000Z",
            "period": "PT30M",
        },
    ]
}
FORECAST_SOLAR = {
    "result": {
        "watts": {
            "2026-04-01T01:40:00+00:00": 0,
            "2026-04-01T02:00:00+00:00": 9000,
            "2026-04-01T03:00:00+00:00": 15000,
        },
        "watt_hours_period": {
            "2026-04-01T01:40:00+00:00": 0,
            "2026-04-01T02:00:00+00:00": 1500,
            "2026-04-01T03:00:00+00:00": 12000,
        },
        "watt_hours": {
            "2026-04-01T01:40:00+00:00": 0,
            "2026-04-01T02:00:00+00:00": 1500,
            "2026-04-01T03:00:00+00:00": 13500,
        },
        "watt_hours_day": {"2026-04-01": 13500},
    },
    "message": {
        "code": 0,
        "type": "success",
        "text": "",
        "info": {"latitude": 35.68, "longitude": 139.77, "timezone": "Asia/Tokyo"},
        "ratelimit": {"period": 3600, "limit": 12, "remaining": 11},
    },
}
ANSWERS = {"open_meteo": OPEN_METEO, "solcast": SOLCAST, "forecast_solar": FORECAST_SOLAR}


def read(kind: str, answer, now=NOW):
    return FEEDS[kind].read(answer, PLACE, now)


def test_open_meteo_tells_the_mean_of_the_quarter_hour_before():
    steps = read("open_meteo", OPEN_METEO)
    assert steps.starts_at == datetime(2026, 4, 1, 2, tzinfo=UTC)
    assert steps.pv_w == pytest.approx([0.5 * 50_000 * SYSTEM_SHARE, 0.6 * 50_000 * SYSTEM_SHARE])
    assert steps.p10_w is None


def test_solcast_tells_kilowatts_and_a_band_of_the_half_hour_before():
    steps = read("solcast", SOLCAST)
    assert steps.pv_w == pytest.approx([20_000, 20_000, 10_000, 10_000])
    assert steps.p10_w == pytest.approx([12_000, 12_000, 4_000, 4_000])
    assert steps.p90_w == pytest.approx([24_000, 24_000, 14_000, 14_000])


def test_forecast_solar_tells_the_energy_of_the_period_before():
    steps = read("forecast_solar", FORECAST_SOLAR)
    assert steps.pv_w == pytest.approx([12_000.0] * 4)


@pytest.mark.parametrize(
    ("kind", "path", "value", "field"),
    [
        ("open_meteo", ("minutely_15", "global_tilted_irradiance"), [1.0], "global_tilted_irradiance"),
        ("open_meteo", ("minutely_15", "global_tilted_irradiance", 1), "many", "global_tilted_irradiance[1]"),
        ("open_meteo", ("minutely_15", "time", 1), "noon", "time[1]"),
        ("open_meteo", ("minutely_15_units", "global_tilted_irradiance"), "MJ/m²", "minutely_15_units"),
        ("open_meteo", ("minutely_15",), None, "minutely_15.time"),
        ("solcast", ("forecasts",), [], "forecasts"),
        ("solcast", ("forecasts", 1, "pv_estimate"), -1.0, "forecasts[1].pv_estimate"),
        ("solcast", ("forecasts", 1, "pv_estimate"), True, "forecasts[1].pv_estimate"),
        ("solcast", ("forecasts", 0, "period_end"), 7, "forecasts[0].period_end"),
        ("solcast", ("forecasts", 0, "period"), "P1Y", "forecasts[0].period"),
        ("forecast_solar", ("result",), None, "result.watt_hours_period"),
        ("forecast_solar", ("result", "watt_hours_period"), [1], "watt_hours_period"),
        ("forecast_solar", ("result", "watt_hours_period"), {"noon": 1, "eve": 2}, "watt_hours_period[noon]"),
    ],
)
def test_a_bad_answer_names_what_is_wrong(kind, path, value, field):
    answer = copy.deepcopy(ANSWERS[kind])
    place = answer
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(Invalid) as caught:
        read(kind, answer)
    assert field in caught.value.field


@pytest.mark.parametrize("kind", sorted(FEEDS))
@pytest.mark.parametrize("answer", [None, [], "no", {}, 7])
def test_what_is_no_answer_at_all_is_named_too(kind, answer):
    with pytest.raises(Invalid, match="is missing"):
        read(kind, answer)


@pytest.mark.parametrize("kind", sorted(FEEDS))
def test_an_answer_about_the_past_alone_is_refused(kind):
    with pytest.raises(Invalid, match="nothing of the time ahead"):
        read(kind, ANSWERS[kind], datetime(2026, 4, 2, tzinfo=UTC))


def test_open_meteos_own_word_for_what_is_wrong_is_passed_on():
    with pytest.raises(Invalid, match="Latitude must be"):
        read("open_meteo", {"error": True, "reason": "Latitude must be in range of -90 to 90°."})


def test_azimuths_are_counted_from_south_and_no_secret_is_shown():
    asks = {kind: FEEDS[kind].ask(PLACE) for kind in FEEDS}
    assert asks["open_meteo"].query["azimuth"] == "-45.0"
    assert asks["forecast_solar"].url.endswith("/estimate/35.6800/139.7700/25/-45/50")
    assert asks["solcast"].headers == {"Authorization": "Bearer s3cret"}
    assert "s3cret" not in repr(asks) + repr(PLACE)


@pytest.mark.parametrize(
    ("kind", "place", "field"),
    [
        ("weather", PLACE, "kind"),
        ("open_meteo", Place(None), "kind"),
        ("forecast_solar", Place(None), "kind"),
        ("solcast", Place(None, None, "k"), "resource"),
        ("solcast", Place(None, "../x", "k"), "resource"),
        ("solcast", Place(None, "ab"), "key"),
        ("forecast_solar", Place(PANELS, None, "a/b"), "key"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is(kind, place, field):
    with pytest.raises(Invalid) as caught:
        check(kind, place)
    assert caught.value.field == field
