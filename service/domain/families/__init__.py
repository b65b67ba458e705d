"""The event families, one file each: JSON struct, checks, log row."""
