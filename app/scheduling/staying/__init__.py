"""How long cars really stay and how much they take: learnt per person and site, as distributions that time narrows.

Start at `learner.learn` (past stays → what was learnt) and `outlooks.outlooks` (cars that are there → what to expect).
"""
