"""Fetching files of the Hub into the Hugging Face cache."""
