"""The thin core: trains of tensors, truncation and Krylov steps."""
