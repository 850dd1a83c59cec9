"""What the rules would decide: on a payload, at a moment, or with other settings. Does nothing."""
