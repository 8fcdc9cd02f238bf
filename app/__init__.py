"""Sunslot: a workplace EV charging controller. Start reading in `app.domain`, then `app.main`."""
