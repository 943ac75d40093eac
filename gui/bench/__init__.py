"""What the benchmark's screen is made of: plans, runs, what is seen while they run, and their charts."""
