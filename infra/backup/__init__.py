"""Backups: encrypted segments of the log, keyrings and signed manifests in a repository, and recovery from them."""
