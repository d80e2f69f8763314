"""What co-location costs: the measurements table, the predictor that learns it, and how good that is."""
