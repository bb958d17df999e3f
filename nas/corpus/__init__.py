"""A corpus of sparse networks with measured accuracies: what predictors of structure → accuracy are fitted on and judged by."""
