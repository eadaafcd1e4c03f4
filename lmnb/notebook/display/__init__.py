"""How things look in a cell and in a terminal."""
