"""Web archives to code-related pages: reading, extraction, canonical addresses, relevance, categories, sampling."""
