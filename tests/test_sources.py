"""Links from pages to code: each leads to the first line of what it names, and none leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hyperlib.press.pages.sources import address_of

ROOT = Path(__file__).parents[1]
NAMES = [
    (page.name, name)
    for page in sorted(ROOT.glob("notebooks/*.py"))
    for name in re.findall(r"\{source\}`([^`]+)`", page.read_text(encoding="utf-8"))
]


def line_of(name: str) -> str:
    """What stands where the link leads."""
    place, _, number = address_of(name, ROOT).partition("/blob/main/")[2].partition("#L")
    return (ROOT / place).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()


@pytest.mark.parametrize(("page", "name"), NAMES)
def test_every_link_of_a_page_leads_to_what_it_names(page, name):
    assert re.match(rf"(@|def |class ).*{'' if line_of(name).startswith('@') else name.split('.')[-1]}", line_of(name))


def test_classes_functions_methods_and_decorated_ones_have_lines():
    assert line_of("weightspace.tokens.Tokenizer.scale").startswith("def scale(")
    assert line_of("tasks.refinement.conditioned").startswith("def conditioned(")
    assert line_of("representations.sane.Sane").startswith(("@dataclass", "class Sane"))
    assert line_of("representations.sane.Sane.decode").startswith(("@torch.no_grad", "def decode"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("representations.nowhere", "hyperlib.representations has no nowhere to link to"),
        ("representations.sane.Sane.melt", "hyperlib.representations.sane has no Sane.melt to link to"),
        ("representations.sane.AT_ONCE", "is no class or function"),
        ("nowhere", "hyperlib has no nowhere"),
    ],
)
def test_what_leads_nowhere_is_refused(name, reason):
    with pytest.raises(ValueError, match=reason):
        address_of(name, ROOT)
