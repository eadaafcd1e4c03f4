"""The kernel's side of lmnb: `%lms`, `%%lms` and `lmnb.client()`. Talks HTTP only."""
