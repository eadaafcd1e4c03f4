"""Models on the Hub and their files here: what LM Studio's app has and its API lacks."""
