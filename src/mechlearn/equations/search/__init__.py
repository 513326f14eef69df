"""From candidates and data to few terms: the weak and the strong form, sparse regression, and a check on the data."""
