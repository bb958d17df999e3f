"""Scale of targets, conformal intervals, support, rank correlations."""
