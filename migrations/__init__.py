"""The database's schema, one revision per change; run by `app.runtime.migrate` at start-up and by `sunslot migrate`."""
