"""Populations of networks: designed, trained, kept whole and read back.
Never learns anything from them."""
