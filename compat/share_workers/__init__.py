"""Share workers of three clients that are killed at random, and what their histories must say."""
