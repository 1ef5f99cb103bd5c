"""Sets of images to train on: made here, carried by a package, found in the data folder or downloaded.
Never knows who trains on them."""
