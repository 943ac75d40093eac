"""What reports of measurements are made of, for the dashboard and :mod:`nanorpc.compare.report`: colours, axes, ratios, and pages of HTML."""
