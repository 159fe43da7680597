"""Everything that touches a disk, a network, a clock or a key."""
