"""Flow from input to output: connections, flow rules, the graph of units."""
