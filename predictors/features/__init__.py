"""Features of a network: of its masks, nodes, paths and the whole graph; the matrix of features; the encoder."""
