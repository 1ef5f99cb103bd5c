"""What networks are asked while a representation learns from their answers. No labels are looked at.

Networks of one zoo answer their training images nearly alike; on disturbed ones they differ much more, so these tell
one network from another. Images that nobody drew, and those of another data set, are controls. Our choice.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.study.study import Study
from hyperlib.weightspace.randomness import key

COPIES = 4  # of each image, disturbed
SHIFT = 4  # pixels at most, around the edge


def queries_of(study: Study, zoo: str, kind: str = "images") -> Float[Tensor, "queries c h w"]:
    """Queries to draw from, the same in every call.

    kind: "images" are the training images of the zoo; "disturbed" four copies of each, two of them blends with another
    image (by a random share) and two shifted in both directions; "noise" normal numbers with the images' mean and
    deviation, as many; any other word a zoo whose training images are asked instead. Raises ValueError where there is
    no such zoo.
    """
    if kind not in ("images", "disturbed", "noise"):
        return study.recipe(kind).images.load().train_x
    images = study.recipe(zoo).images.load().train_x
    random = torch.Generator().manual_seed(int(key([0])) % 2**63)
    if kind == "noise":
        deviation, mean = torch.std_mean(images, correction=0)
        return mean + deviation * torch.randn(images.shape, generator=random)
    return images if kind == "images" else torch.cat([_blended(images, random), _shifted(images, random)])


def _blended(images: Tensor, random: torch.Generator) -> Tensor:
    copies = images.repeat(COPIES // 2, 1, 1, 1)
    others = images[torch.randint(len(images), (len(copies),), generator=random)]
    return torch.lerp(copies, others, torch.rand(len(copies), 1, 1, 1, generator=random))


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    copies = images.repeat(COPIES // 2, 1, 1, 1)
    moves = torch.randint(-SHIFT, SHIFT + 1, (len(copies), 2), generator=random)
    for move in moves.unique(dim=0):
        rows = (moves == move).all(1)
        copies[rows] = copies[rows].roll(tuple(move.tolist()), (-2, -1))
    return copies
