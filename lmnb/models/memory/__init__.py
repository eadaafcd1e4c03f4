"""How much memory a load takes, and where, from the header alone."""
