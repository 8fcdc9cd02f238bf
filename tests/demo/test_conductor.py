from datetime import UTC, datetime, timedelta

from app.demo.conductor import conduct, next_goal
from app.runtime.clock import SteppedClock

MORNING = datetime(2026, 4, 1, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVENING = MORNING + timedelta(minutes=1)


def test_the_goal_is_the_next_sleeper_on_the_next_whole_second():
    assert next_goal(MORNING, MORNING + timedelta(seconds=3, milliseconds=200), EVENING) == MORNING + 4 * SECOND


def test_the_goal_is_at_least_one_second_and_at_most_fifteen_away():
    assert next_goal(MORNING, MORNING, EVENING) == MORNING + SECOND
    assert next_goal(MORNING, None, EVENING) == MORNING + 15 * SECOND
    assert next_goal(EVENING - 2 * SECOND, None, EVENING) == EVENING


class ScriptedChild:
    """Has an event every seventh second and remembers when it was asked to act."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.acted_at = []

    async def ask(self, kind, **fields):
        if kind == "act":
            self.acted_at.append(self.clock.now())
            return {"state": {"plugged": 0}}
        goal = datetime.fromisoformat(fields["to"])
        passed = (self.clock.now() - MORNING) // SECOND
        event_at = MORNING + (passed // 7 + 1) * 7 * SECOND
        return {"at": min(goal, event_at).isoformat(), "has_events": event_at <= goal}


async def test_both_clocks_stop_at_every_event_and_at_the_end():
    clock = SteppedClock(MORNING)
    child = ScriptedChild(clock)
    seen = []

    async def watch(now, state):
        seen.append(now)

    pace = await conduct(child, clock, EVENING, 1e9, watch)
    assert clock.now() == EVENING
    assert child.acted_at == seen == [MORNING + n * SECOND for n in (7, 14, 21, 28, 35, 42, 49, 56)]
    assert pace.business_s == 60


async def test_the_speed_is_a_ceiling():
    clock = SteppedClock(MORNING)

    async def watch(now, state):
        return None

    pace = await conduct(ScriptedChild(clock), clock, EVENING, 300, watch)
    assert pace.reached <= 300
