"""LM Studio's native dialect: what is on disk, what is loaded, load and unload."""
