"""The site limit on real processes: the controller is killed, the network fails, and the wires are measured beside it.

`./run sim crash`: PostgreSQL, `sunslot serve`, a fault proxy and a car park of simulated stations, each in real time.
The car park (`yard`, a process of its own) measures every conductor ten times a second (`wires`) and knows nothing of
the controller; the runner (`play`) kills the controller, plays faults in the proxy and reads the ledger only to tell
what it thought. Start with `play`, then `site` (what is built), `proxy` and `faults`.
"""
