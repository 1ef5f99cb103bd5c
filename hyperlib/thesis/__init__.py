"""What was published, and what we run of it: the thesis's numbers, and our recipes at each profile.
Never trains anything."""
