"""What a state of a battery has: flows of energy, work, fluctuations, resources.

Quantities are entries of `record`; functions take states, Terms or small density matrices.
"""
