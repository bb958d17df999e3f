"""Reading an ONNX graph as a canonical graph: names, decompositions, fusion, order."""
