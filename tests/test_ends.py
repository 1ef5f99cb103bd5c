"""What is asked to end, ends: locks are let go, sweeps stop. And a file that claims more than it has is not read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest

from hyperlib.files.locking import held
from hyperlib.files.plain import Damaged, opened
from hyperlib.files.tensors import read_head
from hyperlib.study.sweeps import sweep

HOLD = "import sys, time; from pathlib import Path; from hyperlib.files.locking import held\n"
HOLD += "with held(Path(sys.argv[1]), print):\n    print('held', flush=True)\n    time.sleep(60)\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_lets_its_lock_go_and_leaves_no_name(tmp_path, number):
    lock = tmp_path / "a.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert not lock.with_name("a.lock.owner").exists()
    with held(lock, lambda who: pytest.fail(f"still held by {who}")):
        pass


def test_a_file_of_tensors_that_is_longer_than_its_head_says_is_refused_by_its_head(tmp_path):
    head = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    with (tmp_path / "long.safetensors").open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.truncate(2**32)  # sparse: it takes no disk
    tracemalloc.start()
    with opened(tmp_path / "long.safetensors") as file, pytest.raises(Damaged, match="end elsewhere"):
        read_head(file)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.slow
def test_a_call_that_fails_ends_the_others(tmp_path):
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        sweep(_fail_or_write, {"bad": (0.0, None), "long": (60.0, str(tmp_path / "done"))}, lambda *pair: None, jobs=2)
    assert time.monotonic() - began < 50 and not (tmp_path / "done").exists()


def _fail_or_write(seconds: float, file: str | None) -> float:
    if file is None:
        return 1 / 0
    time.sleep(seconds)
    with open(file, "w") as there:
        there.write("done")
    return seconds
