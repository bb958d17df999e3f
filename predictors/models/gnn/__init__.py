"""The two-level graph network: over the units inside layers, and over the operators of the graph."""
