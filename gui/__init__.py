"""The dashboard: ``python -m nanorpc.gui``. It measures the transports live and calls methods of running services."""
