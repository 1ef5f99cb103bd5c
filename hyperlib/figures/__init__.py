"""How the book draws: one style, plots of tables, figures that move, diagrams.
Never computes what it shows."""
