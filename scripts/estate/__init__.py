"""Estates: private clouds of any size, made up from a seed, as requests for `resurgam record`.

They come in three parts, each of which builds on those before: `base`, then `more`, then what is going to be `lost`.
"""
