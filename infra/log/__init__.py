"""The event log: records, their order, their hashes, and the head that every append locks."""
