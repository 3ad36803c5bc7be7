"""How a state moves through time: one file a method, and the choice between them."""
