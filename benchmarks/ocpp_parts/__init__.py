"""The parts of `./run bench ocpp`: `cpu` needs no server, the others start a house and a fleet.

Start with `cpu`, or with `house` (the server under test) and `fleet` (the stations' process).
"""
