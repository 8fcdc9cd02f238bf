"""Sockets in, sockets out: the OCPP central system. OCPP's own words live only inside this room.

`server` (handshake, newest socket) → `session` (one connection: read, answer, command, reconcile) → `rpc` (frames) →
`v16`/`v201` (pure translators: decode call → facts, encode command, decode result). Reaches the database only through
`app.operations`. Start with `dialect` (what a version is), then `session` (what a connection does).
"""
