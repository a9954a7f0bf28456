"""What a lab offers: JupyterLab, TensorBoard, programs of one's own; never builds and never starts a container."""
