"""PostgreSQL: typed rows and query functions, one file per noun.

Queries take the transaction's session and never commit.

Constraints live in the database (unique business keys for idempotency, an exclusion constraint for bookings).
Start with `base`, then the noun you need; `snapshot` maps rows to `app.domain.snapshot` values.
"""
