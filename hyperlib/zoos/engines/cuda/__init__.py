"""Training on a CUDA card by kernels of our own: a model per thread block."""
