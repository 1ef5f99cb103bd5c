"""How the check of an exercise speaks to a student: what is missing, what is wrong, or that all is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def checked(**answers: object) -> Iterator[None]:
    """A block of assertions on a student's answers, by the names that they have in the notebook.

    Whatever goes wrong is an AssertionError with a sentence: an answer that is still `...`, an assertion that fails, or
    an error of the assertions, which means that an answer is of another kind than asked.
    """
    if missing := [name for name, answer in answers.items() if answer is ...]:
        raise AssertionError(f"Still missing: {', '.join(missing)}. Give each a value above, run that cell, then this.")
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"An answer is not of the kind that was asked for ({type(error).__name__}: {error}); "
            f"compare {', '.join(answers)} with the words beside them."
        ) from error
    print("✓ Right.")
