"""Flows: energy and power, currents of charge and heat, entropy production."""
