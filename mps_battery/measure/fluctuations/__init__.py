"""Fluctuations: variances, distributions of work and heat, spectra."""
