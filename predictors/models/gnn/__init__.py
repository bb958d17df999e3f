"""The two-level graph network: over units inside layers, over operators of the graph."""
