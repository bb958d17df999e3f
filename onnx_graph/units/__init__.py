"""Live units of a graph: units that are reached by an input and reach an output."""
