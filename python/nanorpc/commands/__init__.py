"""The commands of the command line, one a module. Each has a function that prints, and returns the exit status."""
