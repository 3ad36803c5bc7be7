"""States that do not move: ground states."""
