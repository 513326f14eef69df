"""How glasses are made: melts, swaps of unlike atoms, cooling, and whether they crystallised."""
