"""Forecasts of sun, building and arrivals from a site's own history: pure, on arrays of quarter hours.

May import numpy, the domain and, when something is learnt, LightGBM. Start reading at `sun.sun_forecast`; `persistence`
is the reference that skill is measured against (`skill`), `learner` and `bands` are what beats it.
"""
