"""Who runs when: wiring (one AsyncExitStack), supervised loops, timers, clocks, migrations, embedded PostgreSQL.

May import everything below `runtime` in the layers. Start with `house`, then `loops`; `embedded_postgres` is the
database that runs when no URL is given, `migrate` brings any database to the newest schema.
"""
