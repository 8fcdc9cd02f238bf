"""Static checks of this project: `python -m checks` runs all of them, `python -m checks units sizes` only those.

`__main__` holds the list. The checks of our own are `unit_suffixes`, `sizes` and `migration_heads`; each of them can be
run alone. Nothing here imports `app`.
"""
