"""Simulated stations, cars, commuters, sun and building: they speak only the wire (OCPP, HTTP) and never import `app`.

Useful by themselves (`python -m simulators --help`) and as the demo's child process (`python -m simulators day`).
Time is business time: whole seconds that somebody steps (`clock`, `agenda`); waits on sockets are real.
Start with `station` (the state machine of both dialects), `evse` and `car` (the electrical side), `fleet` (a car park).
"""
