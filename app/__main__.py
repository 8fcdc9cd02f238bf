"""`python -m app` is the `sunslot` command."""

from app.cli import main

main()
