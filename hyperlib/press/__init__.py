"""From notebooks to the book: which pages are stale, executing them, building the site, promoting results.
Never changes a number."""
