"""The demonstration: a cloud is recorded, backed up, destroyed, recovered, and compared with what it was."""
