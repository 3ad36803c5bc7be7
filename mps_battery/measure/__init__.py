"""What a state of a battery has: energy, work, entanglement, observables."""
