"""What the history's screen is made of: the data base, models of it, and trends."""
