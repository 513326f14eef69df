"""What is known of every atom of a glass at rest: its structure, and the mechanism of its yielding."""
