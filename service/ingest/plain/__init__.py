"""Events of the plainest form, from JSON to rows in compiled loops; all others are left to the decoder."""
