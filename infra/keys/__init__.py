"""Keys: the root key, the data keys that it wraps, sealing with them, and the signer."""
