"""What the application takes from the house."""

from app.main import create_app
from app.operations.security_profiles import PublicUrls
from app.runtime.house import House
from app.runtime.supervise import Health


def test_a_command_is_never_given_up_before_its_station_had_its_time(bus, clock):
    """With SUNSLOT_CALL_TIMEOUT_S=120 a slow station's answer would else be thrown away."""
    house = House(None, bus, clock, None, Health(), "", PublicUrls(), call_timeout_s=120.0)
    assert create_app(house).state.api.command_timeout_s > 120.0
