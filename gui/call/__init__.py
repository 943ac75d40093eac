"""Calls of methods: forms for arguments, the calls themselves, and what comes back."""
