"""Parts of the benchmark of planning many cars."""
