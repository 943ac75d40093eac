"""What the results' screen is made of: charts, the table of ratios, and exports."""
