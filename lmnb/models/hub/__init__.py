"""The Hugging Face Hub: what is there, and what names mean on it."""
