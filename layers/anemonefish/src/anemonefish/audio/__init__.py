"""Audio: any stretch of a recording as mono samples, whatever its format and sample rate."""
