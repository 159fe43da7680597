"""What may happen to a control plane, and why: commands, events, rules; no I/O, no clock, no randomness."""
