"""The temporal tables: versions and links, written with every append and read at any position."""
