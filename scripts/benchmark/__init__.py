"""The benchmark: what Resurgam does, timed beside what others do with the same events, in the same run."""
