"""Mutation: each check of the source is taken out in turn, to see that some test misses it."""
