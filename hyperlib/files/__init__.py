"""Where the project's files are, and the one way in which each kind of file is read and written.
Never knows what a file is about: no zoo, no page, no recipe."""
