"""From any PyTorch module to a network whose units are known.

`tracing` runs a module once and keeps what it did as a graph of elementary operations; the rules say what each of them
does to units, and `trying` tries every move on numbers. What is not known is a wall: units that touch it stay where
they are. Nothing is guessed, and no code is ever read from a file.
"""
