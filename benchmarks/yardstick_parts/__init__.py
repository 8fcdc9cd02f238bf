"""The must-show grid of the yardstick: which records, which published figures, which bars, and how they are told."""
