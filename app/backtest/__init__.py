"""What a day could have been: perfect foresight over real sessions, the yardstick beside every measured day.

May import `app.scheduling` and `app.domain`. Start with `foresight.perfect_foresight`.
"""
