"""Yardsticks: recorded days replayed through the production planner and other policies, and perfect foresight.

`records` (CSV files) → `days` (15-minute slots) → `replay` (a policy, slot by slot) → `yardstick` (all policies side by
side) → `table`. `policies` are the references, `production` is Sunslot's own planner. `foresight` is the linear
programme that the demo compares with. Controls nothing; may import scheduling and domain.
"""
