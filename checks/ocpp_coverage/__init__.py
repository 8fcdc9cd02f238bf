"""How every message of OCPP 1.6 and 2.0.1 is handled, from the code itself: `docs/ocpp-coverage.md`.

`python -m checks.ocpp_coverage` fails when the document is not what the code gives, or when a message of the standard
has no handling or no test that carries `@pytest.mark.ocpp`; with `--write` it writes the document. The messages are
those whose schemas the `ocpp` package ships, so that none can be forgotten. Start with `survey`.
"""
