"""Which of the 89 languages a file is written in."""
