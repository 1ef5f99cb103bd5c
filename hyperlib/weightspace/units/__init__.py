"""Which units every weight belongs to: the structure from which all symmetries of a network follow.

An operation says which axes of what it reads and writes are one and the same (`axes`, `operations`); `structure` solves
for the groups of units that may change places and for the factors that they may have. It never looks at a weight.
"""
