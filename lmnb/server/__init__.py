"""Where the dialects are hosted: in a notebook server, or alone."""
