"""Feature engineering: causal features from bars into `features`."""
