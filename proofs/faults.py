"""Which faults a run plays, and how often: rates per site-hour, and shares of messages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """The weather of a run. Rates are per site-hour; shares are of calls, answers or cycles.

    `surprised_count` is how many stations may be surprised (forgetful, lying, reset) and not yet contained at once; the
    site's margins are made for k of them. `write_pause_share` is of cycles: paused just before they write. A load that
    `is_load_adverse` is low while its meters are right, and rises as fast as it may while they are not. `swap_share` is
    of the changes of mind: one EVSE of every breaker gets all, the others their safe power. Where it `is_crowded` a car
    that takes everything stands at every EVSE from the first minutes on, and stays.
    """

    lost_call_share: float = 0.02
    lost_answer_share: float = 0.03
    slow_call_share: float = 0.02
    late_answer_share: float = 0.04
    crash_share: float = 0.002
    pause_share: float = 0.004
    crashes_per_h: float = 0.5
    database_losses_per_h: float = 0.4
    partitions_per_h: float = 2.0
    partition_most_s: float = 400.0
    hang_ups_per_h: float = 2.0
    reboots_per_h: float = 1.0
    freezes_per_h: float = 0.7
    surprises_per_h: float = 1.0
    load_steps_per_h: float = 20.0
    meter_faults_per_h: float = 1.0
    meter_fault_most_s: float = 3000.0
    surprised_count: int = 1
    beyond_count: int = 0
    retarget_s: float = 360.0
    write_pause_share: float = 0.0
    is_load_adverse: bool = False
    swap_share: float = 0.0
    is_crowded: bool = False


CALM = Faults(
    lost_call_share=0.0,
    lost_answer_share=0.0,
    slow_call_share=0.0,
    late_answer_share=0.0,
    crash_share=0.0,
    pause_share=0.0,
    crashes_per_h=0.0,
    database_losses_per_h=0.0,
    partitions_per_h=0.0,
    hang_ups_per_h=0.0,
    reboots_per_h=0.0,
    freezes_per_h=0.0,
    surprises_per_h=0.0,
    load_steps_per_h=0.0,
    meter_faults_per_h=0.0,
)
