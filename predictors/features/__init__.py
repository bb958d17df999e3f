"""Numbers that describe a network: of masks, nodes, paths, the whole graph; the matrix of them; the encoder."""
