from proofs.absent import play_absence


def test_a_site_that_never_had_a_controller_keeps_its_ratings_and_charges_every_car():
    absence = play_absence(2, 8.0, is_never_there=True)
    assert absence.overloads == []
    assert min(absence.currents_a) >= 5.9
    assert sum(absence.energies_wh) > 0


def test_a_controller_that_vanishes_just_after_raises_leaves_leases_that_end_by_themselves():
    absence = play_absence(1, 3.0, is_never_there=False)
    assert absence.overloads == []
    assert 60 < absence.still_raised_s < 660
    assert min(absence.currents_a) >= 5.9
