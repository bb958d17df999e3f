"""Many small networks of one shape as one stacked batch in PyTorch."""
