"""The private cloud of the generated history: what happens in each of its areas, written as records."""
