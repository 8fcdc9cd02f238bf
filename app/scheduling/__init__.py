"""PURE: what to charge when, and what may be sent: surplus, demand, planner, allocation, limit ledger, flexibility.

No I/O and no clock: `now` is an argument. May import `app.domain` and pure libraries (OR-Tools, NumPy).
Start with `planner.plan`; `ledger` and `allocation` are the promise that the site limit never breaks.
"""
