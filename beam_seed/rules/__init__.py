"""The few hand-written rules: what is not source code in spite of its name."""
