from proofs.faults import Faults
from proofs.play import play


def test_the_same_seed_gives_the_same_trace_to_the_letter():
    first, again = (play(11, 0.5, Faults(), is_traced=True) for _ in range(2))
    assert first.lines
    assert first == again


def test_no_conductor_is_above_its_rating_whatever_is_lost_late_or_dead():
    for seed in range(1, 5):
        result = play(seed, 2.0, Faults())
        assert result.is_clean, (seed, result.overloads, result.broken)
        assert result.binding_slot_count > 0
        assert result.counts["call timed out"] > 0
