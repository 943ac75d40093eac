"""The servers that run on this machine, live: who watches them, what is known of them, and how they are listed."""
