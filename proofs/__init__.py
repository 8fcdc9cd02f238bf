"""Proofs that the site limit holds: the real ledger, orders and allocator against a car park that does its worst.

`python -m proofs NAME` (or `./run sim NAME`): the simulation in virtual time (`limit`), its deliberate mutants
(`mutants`), usefulness (`useful`), a controller that is gone (`absent`). Deterministic: a seed decides everything. What
the wires carry is measured by `simulators.feeders`, which knows nothing of the controller. May import `app.scheduling`,
`app.domain` and `simulators`; nobody imports this room. Start with `play` (one run), then `controller` and `chargers`.
"""
