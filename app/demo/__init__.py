"""The demo: one working day of a car park on the whole house, conducted on a stepped clock.

The house (database, OCPP central, API, scheduler) runs in this process; stations, cars, sun and people run as a child
process (`python -m simulators day`) that speaks OCPP and HTTP over real sockets and is stepped over JSON lines.
Start with `day`.
"""
