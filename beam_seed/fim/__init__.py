"""Fill-in-the-middle: documents whose end, or middle, is to be written last (recipe section 6)."""
