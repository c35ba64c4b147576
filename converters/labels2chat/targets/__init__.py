"""The shapes of a line, one module each (`encode`, `decode`), and beside them the profiles of who takes it."""
