"""What is wanted of OCPP 2.0.1 stations, and what their variables tell; pure."""

import pytest

from app.domain.commands import RateUnit
from app.domain.device import Variable, named
from app.ocpp_central.v201.wanted import SETUP, has_register, starts_in_time, survives_a_pause
from app.ocpp_central.wanted import Kind, Needs, Wanted, told


def said(**values: str):
    variables = [Variable(*name.split("_"), value) for name, value in values.items()]
    return SETUP.capabilities(told(variables))


@pytest.mark.parametrize(
    ("points", "is_in_time"),
    [("Authorized", True), ("EVConnected,EnergyTransfer", True), ("EnergyTransfer", False), ("", False)],
)
def test_a_session_has_to_begin_before_power_flows(points, is_in_time):
    assert starts_in_time(points) is is_in_time


@pytest.mark.parametrize(
    ("points", "is_well"), [("EVConnected", True), ("Authorized,EnergyTransfer", False), ("PowerPathClosed", False)]
)
def test_a_pause_must_not_end_a_session(points, is_well):
    assert survives_a_pause(points) is is_well


def test_more_measurands_than_the_register_will_do():
    assert has_register("Voltage, Energy.Active.Import.Register")
    assert not has_register("Voltage")


def test_smart_charging_is_off_when_either_word_says_so_and_unknown_when_none_does():
    assert said(SmartChargingCtrlr_Available="true", SmartChargingCtrlr_Enabled="false").has_smart_charging is False
    assert said(SmartChargingCtrlr_Enabled="true").has_smart_charging is True
    assert said().has_smart_charging is None
    assert said().takes_leases is True


@pytest.mark.parametrize(
    ("text", "units"), [("W", (RateUnit.W,)), ("a, w", (RateUnit.A, RateUnit.W)), ("kW", None), ("", None)]
)
def test_rate_units_are_read_as_stations_write_them(text, units):
    assert said(SmartChargingCtrlr_RateUnit=text).rate_units == units


def test_phases_are_unknown_where_evses_differ():
    def evse(number: int, phases: str) -> Variable:
        return Variable("EVSE", "SupplyPhases", phases, evse_number=number)

    assert SETUP.capabilities(told([evse(1, "3"), evse(2, "3")])).phase_count == 3
    assert SETUP.capabilities(told([evse(1, "3"), evse(2, "1")])).phase_count is None
    assert SETUP.capabilities(told([evse(1, "0")])).phase_count is None


@pytest.mark.parametrize(
    ("values", "adapted"), [("90..900", "90"), ("1..30", "30"), ("..45", "45"), ("0..", "60"), ("", "60")]
)
def test_a_number_is_moved_into_what_the_station_takes(values, adapted):
    wanted = Wanted("A.B", "60", Kind.NUMBER)
    assert wanted.adapted(Variable("A", "B", "0", values=values)) == adapted


def test_every_wanted_name_is_one_that_a_station_can_be_asked_for():
    wanted = SETUP.wanted(Needs(60, 300, 60))
    assert all(named(each.name).name == each.name for each in wanted)
    assert len({each.name for each in wanted}) == len(wanted)
