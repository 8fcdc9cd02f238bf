"""Version 1 of the API: one file per noun, its router and its models together.

A route parses, calls one operation and converts; kW and kWh exist only here.
"""
