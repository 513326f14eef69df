"""Fields and samples: what they are, how noisy they are, and the files they come from."""
