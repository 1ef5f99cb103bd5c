"""What zoos and representations are good for: measures and tests of them, each giving a table.
Never names an experiment, draws a figure or writes a file."""
