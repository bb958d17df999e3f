"""An ONNX graph read into a canonical graph: names, decompositions, fusion, order."""
