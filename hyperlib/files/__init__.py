"""Where the project's files are, and the one way in which each kind of file is read and written.
Never knows what stands in a file."""
