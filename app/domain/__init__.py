"""What Sunslot talks about, as frozen values: facts, commands, snapshots, plans, limits, errors.

Pure: this room does no I/O, knows no clock but the `Clock` protocol and imports nothing of the other rooms.
Start with `facts` (what stations tell us), `commands` (what we tell them) and `snapshot` (what a plan is made of).
"""
