"""What the world outside tells: clear skies and forecast feeds, as values. Never writes rows, never decides.

May import scheduling and domain; operations and runtime use it. `clear_sky` computes with pvlib, `feeds` spells and
reads the answers of forecast services, `fetching` asks them over the network.
"""
