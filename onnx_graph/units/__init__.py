"""Which units of a graph are alive: reached by an input and reaching an output."""
