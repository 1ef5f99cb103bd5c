"""The type checker that the tests put behind every annotation: shapes by jaxtyping, and an int where a float may be."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
