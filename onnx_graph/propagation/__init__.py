"""One propagation over a graph: which inputs an output depends on, counted (+, mean) or only told (or, any).

`onnx_graph.operators` states for every operator how its outputs depend on its inputs, as short chains of steps. A step carries a field
forward (from inputs to outputs) and back (from outputs to inputs); an `Algebra` says what adding means.
"""
