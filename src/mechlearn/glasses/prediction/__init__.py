"""Models of which atoms will take part in the first event, their choice, and maps of what they say."""
