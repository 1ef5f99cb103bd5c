"""What a page of the site is made of, beyond its text: figures, tables, head and foot, terms, scripts.
Never runs a chapter."""
