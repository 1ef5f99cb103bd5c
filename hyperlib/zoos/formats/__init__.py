"""Zoos in the forms that other people publish: recognised, read into ours, and written.
Never runs anything that it reads, and never follows a link."""
