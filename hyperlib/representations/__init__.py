"""What a network's weights can be turned into: raw, statistics, projections and what is learned from a zoo.
Never judges how good that is."""
