"""What was made, and from what: entries made once, their manifests, fingerprints of code, notes of a run.
Never knows how a thing is made: its maker comes by argument."""
