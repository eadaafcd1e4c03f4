"""What Python calls: `lmnb.chat`, `lmnb.embed`, `lmnb.map`, and what looks after models."""
