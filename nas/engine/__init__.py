"""The search loop: pre-flight table, pool of proposals, acquisition, strategies, rounds of training."""
