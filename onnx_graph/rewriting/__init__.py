"""Rewriting graphs without changing the result: simplifying, inlining, freeing the batch axis, separating the normalisation."""
