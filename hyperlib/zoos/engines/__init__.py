"""The engines that train a block of models, all meaning the same and differing in speed.
Never decide what is trained, nor keep anything."""
