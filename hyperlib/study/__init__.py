"""What a page asks for: zoos and representations by name, results written down, published numbers beside ours.
Never draws, and never knows how a page is made."""
