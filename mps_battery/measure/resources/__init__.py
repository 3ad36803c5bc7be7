"""Resources: entropies, correlations, coherence."""
