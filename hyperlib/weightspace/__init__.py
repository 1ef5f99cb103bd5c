"""What a weight vector is: what it can be read as, cut into and moved by, for any network.
Never trains anything, and never touches a disk."""
