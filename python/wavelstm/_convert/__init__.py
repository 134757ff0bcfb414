"""wavelstm-convert: LSTMs out of the files of PyTorch, Lightning, ONNX, Keras and safetensors (docs/converting.md)."""
