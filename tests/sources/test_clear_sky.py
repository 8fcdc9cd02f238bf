"""The clear sky of panels whose place is known: night, noon, orientation and season."""

from datetime import UTC, datetime

import numpy as np
import pytest

from app.scheduling.forecasting.series import slot_number
from app.sources.clear_sky import Panels, clear_sky_w

TOKYO = {"latitude_deg": 35.68, "longitude_deg": 139.77, "peak_w": 10_000.0}


def day_w(month: int, **changes) -> np.ndarray:
    first = slot_number(datetime(2026, month, 20, 15, tzinfo=UTC))  # midnight in Tokyo
    return clear_sky_w(Panels(**TOKYO | changes), first, first + 96).powers_w


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pvlib's own, of pandas
def test_a_clear_day_is_dark_at_night_and_brightest_around_noon():
    june_w = day_w(6)
    assert june_w[:16].max() == june_w[80:].max() == 0.0
    assert 44 <= int(june_w.argmax()) <= 50
    assert 6_000 < june_w.max() < 9_500
    east_w, west_w = day_w(6, tilt_deg=40.0, azimuth_deg=90.0), day_w(6, tilt_deg=40.0, azimuth_deg=270.0)
    assert east_w.argmax() < june_w.argmax() < west_w.argmax()
    assert day_w(12, tilt_deg=0.0).sum() < 0.6 * june_w.sum()
