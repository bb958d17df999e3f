"""Graphs rewritten to others that compute the same: simplified, written out, with a free batch axis, with their normalisation apart."""
