"""The models that are here: where they lie, what they are called, how they come and go."""
