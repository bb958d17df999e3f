"""Means over neighbours as a sparse matrix."""

import numpy as np
import scipy.sparse

from predictors.models.gnn.graph_batch import Numbers


def neighbour_means(hearing: Numbers, heard: Numbers, nodes: int) -> scipy.sparse.csr_array:
    """The matrix of means, float32 ``(nodes, nodes)``, columns sorted; the row of a node without neighbours is empty.

    Args:
        hearing, heard: receiving and sending node of every edge, without repetition, ``(edges,)`` each.
        nodes: number of nodes.
    """
    order = np.lexsort((heard, hearing))
    degrees = np.bincount(hearing, minlength=nodes)
    starts = np.concatenate(([0], np.cumsum(degrees))).astype(np.int32)
    values = (1.0 / np.maximum(degrees, 1)).astype(np.float32)[hearing[order]]
    return scipy.sparse.csr_array((values, heard[order].astype(np.int32), starts), shape=(nodes, nodes))
