"""The front doors: events are checked, stamped and appended to the log."""
