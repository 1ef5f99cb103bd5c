"""Questions to a zoo that nobody had seen, and the settings that they were asked with."""

import pytest
import yaml

from hyperlib.files import paths
from hyperlib.thesis import published
from hyperlib.thesis.book_representations import learned_inputs, representation_recipe
from hyperlib.thesis.recipes import zoo_recipe
from hyperlib.thesis.untouched import settings, untouched


def test_the_zoo_is_asked_with_the_settings_that_were_written_down():
    asked = untouched()

    assert zoo_recipe(asked.zoo, "laptop").name == asked.zoo
    assert len(set(asked.questions)) == len(asked.questions) == 8
    assert {target for *_, target in asked.questions} == {"test_accuracy", "gap"}
    assert all(first != second for first, second, _ in asked.questions)


@pytest.mark.parametrize("name", sorted(settings("photo_hyp")))
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_no_setting_can_change_unseen(tmp_path, monkeypatch, name, how):
    frozen = yaml.safe_load((paths.thesis_folder() / "untouched.yml").read_text(encoding="utf-8"))
    frozen["settings"][name] = "another"
    if how == "gone":
        del frozen["settings"][name]
    (tmp_path / "untouched.yml").write_text(yaml.safe_dump(frozen))
    monkeypatch.setattr(published, "thesis_folder", lambda: tmp_path)

    with pytest.raises(ValueError, match=f"asked with another '{name}'"):
        untouched()


def test_the_zoo_is_in_no_other_recipe_of_chapter_4():
    zoo = untouched().zoo
    assert representation_recipe(zoo, "laptop").zoo == zoo
    assert learned_inputs(zoo, "laptop").items() <= settings(zoo)["answers"].items()
    assert learned_inputs(zoo, "quick")["steps"] < learned_inputs(zoo, "laptop")["steps"]
    with pytest.raises(ValueError, match="no profile"):
        learned_inputs(zoo, "huge")
