"""Parts of the benchmark of the real-time loop."""
