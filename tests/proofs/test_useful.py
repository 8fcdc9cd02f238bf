from proofs.useful import play_way


def test_a_day_uses_nearly_the_sun_that_a_controller_without_any_delay_uses():
    reference, _, real = (play_way((number, 3), stations=6, room_share=0.35, surplus_ratio=1.5) for number in (0, 1, 2))
    assert real.overloads == []
    assert reference.binding_slot_count >= 0.2 * reference.slot_count
    assert real.solar_wh >= 0.85 * reference.solar_wh > 0
