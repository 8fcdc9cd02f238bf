from datetime import UTC, datetime
from math import sqrt

import pytest

from app.domain.facts import Metered, Suspicious
from app.ocpp_central.samples import RawSample, read
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201

V16, V201 = Ocpp16(), Ocpp201()
NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
POWER, CURRENT, VOLTAGE = "Power.Active.Import", "Current.Import", "Voltage"


def register_wh(*raws):
    return read(raws).register_wh


def power_w(*raws):
    return read(raws).power_w


def decoded(*samples, **more):
    payload = {"connectorId": 1, "meterValue": [{"timestamp": "2026-04-01T07:00:00Z", "sampledValue": list(samples)}]}
    return V16.decode("MeterValues", payload | more, NOW)


def test_a_value_without_measurand_and_unit_is_the_import_register_in_wh_1_6_4_7():
    assert register_wh(RawSample("1234.5")) == 1234.5


def test_kilo_units_and_multipliers_are_normalised():
    assert register_wh(RawSample("1.5", unit="kWh")) == 1500
    assert register_wh(RawSample(15, unit="Wh", multiplier=2)) == 1500
    assert power_w(RawSample("7.2", POWER, "kW")) == 7200
    assert register_wh(RawSample(1, multiplier=99)) is None


def test_duplicates_with_another_context_do_not_hide_the_periodic_register():
    clock, begin = RawSample("0", context="Sample.Clock"), RawSample("10", context="Transaction.Begin")
    reading = read([clock, begin, RawSample("5000", context="Sample.Periodic")])
    assert reading.register_wh == 5000
    assert len(reading.samples) == 3
    assert register_wh(clock) == 0
    assert register_wh(begin, clock) == 10


def test_the_outlet_counts_before_the_inlet():
    assert register_wh(RawSample("9", location="Inlet"), RawSample("5", location="Outlet")) == 5


def test_phases_are_summed_unless_there_is_a_total():
    phases = [RawSample("100", phase=phase) for phase in ("L1", "L2", "L3")]
    assert register_wh(*phases) == 300
    assert register_wh(*phases, RawSample("310")) == 310
    assert register_wh(RawSample("1", phase="L1"), RawSample("2", phase="L1-N")) == 1


@pytest.mark.parametrize(
    ("currents", "voltages", "expected_w"),
    [
        ({"": 10}, {"": 200}, 2000),
        ({"L1": 10, "L2": 11, "L3": 12}, {"L1-N": 230, "L2-N": 231, "L3-N": 229}, 10 * 230 + 11 * 231 + 12 * 229),
        ({"L1": 10, "L2": 10, "L3": 10}, {"": 230}, 6900),
        ({"L1": 30, "L2": 30}, {"L1-L2": 200}, 6000),
        ({"L1": 10, "L2": 10, "L3": 10}, {"L1-L2": 400, "L2-L3": 400, "L3-L1": 400}, 30 * 400 / sqrt(3)),
        ({"L1-N": 16}, {"L1-N": 230}, 3680),
        ({"": 10}, {}, None),
        ({"N": 10}, {"": 200}, None),
    ],
)
def test_power_follows_from_currents_and_voltages_where_it_is_not_metered(currents, voltages, expected_w):
    raws = [RawSample(str(each), CURRENT, "A", phase) for phase, each in currents.items()]
    raws += [RawSample(str(each), VOLTAGE, "V", phase) for phase, each in voltages.items()]
    assert power_w(*raws) == (None if expected_w is None else pytest.approx(expected_w))
    assert power_w(*raws, RawSample("1", POWER)) == 1


def test_one_bad_sample_does_not_drop_the_rest():
    found = decoded({"value": "NaN", "measurand": POWER, "unit": "W"}, {"value": "1000"}, {"value": ""})
    (metered,) = found.facts
    assert metered.register_wh == 1000
    assert found.repairs == {"sample_dropped": 2}


@pytest.mark.parametrize("sample", [{"value": "-5"}, {"value": "-5", "measurand": POWER}, {"value": "1e15"}])
def test_negative_and_absurd_readings_are_quarantined(sample):
    doubt, metered = decoded(sample, {"value": "5", "measurand": VOLTAGE}).facts
    assert isinstance(doubt, Suspicious)
    assert (metered.register_wh, metered.power_w) == (None, None)


@pytest.mark.parametrize(
    ("samples", "repair"),
    [
        ([{"value": 1000}], "number_for_text"),
        ([{"value": "1000", "signed": True}], "unknown_property_dropped"),
        ([{"value": "1000", "unit": None}], "null_dropped"),
        ([{"value": "1000"}, {"value": "50", "measurand": "Frequency", "unit": "Hz"}], "tolerated_enum"),
        ([{"value": "1000"}, {"value": "5", "measurand": "Vendor.Own"}], "tolerated_enum"),
        ([{"value": "1000"}, {"value": "1,5", "measurand": VOLTAGE}], None),
    ],
)
def test_schema_invalid_but_useful_meter_values_are_repaired_and_counted(samples, repair):
    found = decoded(*samples)
    (metered,) = found.facts
    assert metered.register_wh == 1000
    assert len(metered.samples) == len(samples)
    assert found.repairs == ({} if repair is None else {repair: 1})


def test_an_object_instead_of_an_array_is_read():
    sampled = {"timestamp": "2026-04-01T07:00:00Z", "sampledValue": {"value": "7"}}
    found = V16.decode("MeterValues", {"connectorId": "1", "meterValue": sampled}, NOW)
    (metered,) = found.facts
    assert (metered.evse_number, metered.register_wh) == (1, 7)
    assert found.repairs == {"object_for_array": 2, "text_for_number": 1}


def test_numbers_as_text_are_read_in_2_0_1():
    sampled = {"timestamp": "2026-04-01T07:00:00Z", "sampledValue": [{"value": "7.5"}, {"value": "NaN"}]}
    found = V201.decode("MeterValues", {"evseId": 1, "meterValue": [sampled]}, NOW)
    assert [fact.register_wh for fact in found.facts] == [7.5]
    assert found.repairs["text_for_number"] == 1
    assert found.repairs["sample_dropped"] == 1


@pytest.mark.parametrize(
    "payload",
    [{}, {"connectorId": 1}, {"connectorId": 1, "meterValue": []}, {"connectorId": 1, "meterValue": [5]}, {"x": "y"}],
)
def test_meter_values_are_never_refused(payload):
    found = V16.decode("MeterValues", payload, NOW)
    assert not any(isinstance(fact, Metered) for fact in found.facts)


def test_signed_data_is_not_mistaken_for_a_number():
    found = decoded({"value": "123456", "format": "SignedData"}, {"value": "7"})
    assert found.facts[0].register_wh == 7
    assert found.repairs == {}
