"""Networks taken out of MXNet, and their single calls: what the extra ``onnx`` adds."""
