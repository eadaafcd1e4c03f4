"""A question, what travels with it, and its answer: the same for cells, Python and widgets."""
