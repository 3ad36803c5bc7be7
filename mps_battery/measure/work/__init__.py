"""Work: what unitaries can draw, of one cell, a block, all cells in parallel, the whole chain."""
