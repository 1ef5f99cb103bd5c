"""What runs for the project elsewhere has the least rights, and runs what was looked at."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_read_and_every_action_is_one_commit(file):
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    uses = re.findall(r"uses: (\S+)", file.read_text())
    assert uses and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used) for used in uses), uses
    for job in workflow["jobs"].values():
        # a job that may add to a release runs no code of the project
        more = set() if any("checkout" in step.get("uses", "") for step in job["steps"]) else {"contents"}
        assert job["timeout-minutes"] and set(job.get("permissions", {})) <= {"pages", "id-token"} | more
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.slow
def test_zizmor_finds_no_hole():
    zizmor = Path(sysconfig.get_path("scripts")) / "zizmor"
    done = subprocess.run([zizmor, "--offline", "--no-progress", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
