"""Every table of the benchmarks can be made, on tiny sizes; no number of them is judged here."""

import multiprocessing
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from elsewhere import CONTEXT
from small_book import PUBLISHES, make_book

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import batched_forms  # noqa: E402  (the folder is no package)
import card_stages  # noqa: E402
import clock  # noqa: E402
import gpu  # noqa: E402
import plain  # noqa: E402
import run  # noqa: E402
import tokens  # noqa: E402
import training_step  # noqa: E402
import weight_space  # noqa: E402
from settings import SETTINGS, Options  # noqa: E402

from hyperlib import align, permutation_index, random_permutations, small_cnn, tetris_mlp  # noqa: E402
from hyperlib.press import build  # noqa: E402
from hyperlib.press.edition import Edition  # noqa: E402
from hyperlib.press.site import promote_benchmarks  # noqa: E402
from hyperlib.representations.losses import mixed, nt_xent, reconstruction  # noqa: E402
from hyperlib.weightspace.tokens import Tokenizer  # noqa: E402

QUICK = Options(repetitions=1, quick=True)
# for most of their time they compile, or start processes or Ray
COMPILING = ("peak", "compile", "growth", "memory", "nodes", "sane_memory")
STEPS = [training_step.tiny(size) for size in training_step.SIZES]
COLUMNS = {
    "training": "network contestant images train_images test_images per_cpu_s per_cpu_s_ratio per_s per_s_ratio",
    "peak": "cores network engine peak_gflops gflops processor_gflops fraction processor_fraction",
    "compile": "cache architecture engine first_s again_s",
    "growth": "grows models epochs images weights multiply_adds seconds",
    "memory": "network engine models train_images before_gib peak_gib kept_gib besides_gib",
    "nodes": "network models epochs blocks load nodes seconds empty_s speedup",
    "architectures": "architecture weights forward training evaluate_us train_us_batch_32 train_us_batch_10",
    "batched_forms": "device threads models form step_ms us_per_model_image speed_ratio",
    "files": "action zoo_s one_file_per_checkpoint_s ratio",
    "weight_space": "action networks ours_s one_by_one_s ratio",
    "tokens": "network action ours_per_cpu_s one_by_one_per_cpu_s ratio",
    "training_step": "network width batch released_batch contestant seconds_per_step ratio",
    "controls": "network networks without_s with_s ratio",
    "answers": "network work baseline_s ours_s ratio",
    "foreign": "work baseline networks ours_s baseline_s ratio",
    "formats": "work models epochs ours_s torch_load_s ratio",
    "opening": "network models gigabytes rows seconds besides_mib",
    "windows": "network token window stage ours_per_cpu_s one_by_one_per_cpu_s ratio",
    "twins": "network work per_cpu_s ratio",
    "sane_memory": "network weights tokens embed_s decode_s besides_gib",
}


@cache
def made(name: str) -> pd.DataFrame:
    """One table on tiny sizes."""
    return run.TABLES[name](QUICK)


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Processes are of the tests' kind, which start faster than a benchmark's."""
    monkeypatch.setattr(plain, "multiprocessing", SimpleNamespace(get_context=lambda _: CONTEXT))


@pytest.fixture
def cheap(monkeypatch, tmp_path):
    """A benchmark of two tables that take no time, and a folder for the results of a whole run."""
    table = pd.DataFrame({"a": [1], "b": [1 / 3]})
    monkeypatch.setattr(run, "TABLES", {"first": lambda _: table, "second": lambda _: table})
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results" / "benchmarks"


def test_a_whole_run_goes_where_the_user_said_whatever_folder_it_works_in(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYPERLIB_RESULTS", "out")
    assert run.default_folder() == tmp_path / "out" / "benchmarks"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in COMPILING else ()) for name in run.TABLES]
)
def test_each_table_can_be_made(name):
    if name == "nodes":
        pytest.importorskip("ray")
    table = made(name)

    assert set(table) == set(COLUMNS[name].split())
    assert len(table) and np.isfinite(table.select_dtypes("number")).all(axis=None)


def test_a_worker_that_dies_ends_the_measurement_and_the_other_processes():
    before = {*multiprocessing.active_children()}
    with pytest.raises(EOFError), plain.processes(2, quick=True) as pipes:
        plain.all_at_once(pipes, "no such network", 1)
    assert {*multiprocessing.active_children()} <= before


def test_ratios_are_against_the_plain_loop_of_the_same_network():
    for _, rows in made("training").groupby("network"):
        base = rows[rows["contestant"] == "plain loop"].iloc[0]
        assert np.allclose(rows["per_cpu_s_ratio"], rows["per_cpu_s"] / base["per_cpu_s"])
        assert np.allclose(rows["per_s_ratio"], rows["per_s"] / base["per_s"])


def test_the_other_side_of_the_weight_space_table_does_the_same_work():
    network, generator = small_cnn(), torch.Generator().manual_seed(0)
    weights = network.initialise([0, 1], "kaiming_normal")
    one, other = ({k: v.numpy() for k, v in network.layout.unflatten(row).items()} for row in weights)
    orders = random_permutations(network, 1, generator)
    moved = one
    for group, order in orders.items():
        moved = weight_space.reordered(moved, group, order[0].numpy())

    assert torch.equal(flat(moved), weights[:1].gather(-1, permutation_index(network, orders))[0])
    assert torch.equal(flat(weight_space.matched(one, moved)), weights[0])
    distance = (flat(weight_space.matched(one, other)) - weights[0]).norm()
    assert distance < 1.05 * align(network, weights[0], weights[1:], restarts=5).distance[0]


@pytest.mark.parametrize("network", [small_cnn(), tetris_mlp()], ids=lambda network: network.name)
def test_the_other_side_of_the_tokens_table_does_the_same_work(network, monkeypatch):
    monkeypatch.setattr(tokens, "NOISE", 0.0)
    monkeypatch.setattr(tokens, "ERASE", 0.0)
    weights = network.initialise([0], "kaiming_normal")
    tokenizer, readers = Tokenizer(network.layout), tokens.READERS[network.name]
    orders = random_permutations(network, 1, torch.Generator().manual_seed(0))
    state = moved = network.layout.unflatten(weights[0])
    for layer, order in orders.items():
        moved = tokens.reordered(moved, layer, readers[layer], order[0])

    expected = tokenizer.encode(weights.gather(-1, permutation_index(network, orders)))[0]
    assert torch.equal(tokens.tokenised(moved, tokenizer.shape[1]), expected)
    assert torch.equal(network.layout.flatten(tokens.state_of(expected, state)), network.layout.flatten(moved))
    views = tokens.two_views(state, readers, tokenizer.shape[1], torch.Generator().manual_seed(0))
    for view in views:
        assert torch.equal(view.flatten().sort().values, expected.flatten().sort().values)
        assert not torch.equal(view, tokens.tokenised(state, tokenizer.shape[1]))


@pytest.mark.parametrize("size", STEPS, ids=lambda size: size.network.name)
def test_the_released_form_of_a_training_step_computes_what_ours_does(size, monkeypatch):
    monkeypatch.setattr(training_step, "DROPOUT", 0.0)
    population = size.network.initialise(range(2 * size.batch), "kaiming_normal")
    released = training_step.ReleasedTraining(size, population)
    network, head, _ = training_step.ours(size, dropout=0.0)
    views = released.views()

    encoded, (latents, weights) = network.encode(torch.cat(views)), released.network(torch.cat(views))
    torch.testing.assert_close(latents, encoded.latents, atol=2e-5, rtol=0)
    torch.testing.assert_close(weights, network.decode(encoded.latents), atol=2e-5, rtol=0)
    contrast = nt_xent(*map(head, encoded.embedding.chunk(2)), training_step.TEMPERATURE)
    error = reconstruction(network.decode(encoded.latents), torch.cat(views))
    loss, found_contrast, found_error = released.losses(*views)
    torch.testing.assert_close(found_error, error, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found_contrast, contrast, atol=1e-3, rtol=0)
    torch.testing.assert_close(loss, mixed(contrast, error, size.mix), atol=1e-3, rtol=0)

    error.backward()
    found_error.backward()
    block, other = network.encoder[0], released.network.encoder[0]
    found = torch.cat([part.weight.grad for part in (other.query, other.key, other.value)])
    torch.testing.assert_close(found, block.attention.read.weight.grad, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(other.up.weight.grad, block.up.weight.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("size", STEPS, ids=lambda size: size.network.name)
def test_both_sides_of_a_training_step_have_views_dropout_and_parameters_alike(size):
    population = size.network.initialise(range(2 * size.batch), "kaiming_normal")
    released, ours = (
        training_step.ReleasedTraining(size, population),
        training_step.trainer(size, population, half=False),
    )
    plain = {tuple(row.sort().values.tolist()) for row in population}
    views = ours.objective.augment.views(size.network, population, torch.Generator().manual_seed(0)).inputs
    for view in (*released.views(), *views):
        whole = view[(view != 0).sum(-1) == (population != 0).sum(-1).max()]  # nothing erased
        assert all(tuple(row.sort().values.tolist()) in plain for row in whole)

    shares = [module.p for module in released.network.modules() if isinstance(module, torch.nn.Dropout)]
    assert sorted(shares) == 4 * [0.0] + 12 * [training_step.DROPOUT]
    counts = [sum(p.numel() for p in network.parameters()) for network in (released.network, ours.network)]
    assert counts[0] == counts[1] + size.width  # the summary token has a position besides


def flat(state: dict[str, np.ndarray]) -> torch.Tensor:
    return small_cnn().layout.flatten({name: torch.from_numpy(values) for name, values in state.items()})


# -- a whole run, and what becomes of it


def test_a_whole_run_prints_its_tables_and_writes_them_with_the_machine(cheap, capsys):
    assert run.main([]) == 0

    assert sorted(file.name for file in cheap.iterdir()) == ["first.csv", "machine.csv", "second.csv"]
    assert (cheap / "first.csv").read_text() == "a,b\n1,0.333333\n"
    facts = pd.read_csv(cheap / "machine.csv").set_index("fact")["value"]
    assert facts["torch"] == torch.__version__.partition("+")[0] or facts["torch"] == torch.__version__
    printed = capsys.readouterr().out
    assert "first\n" in printed and "0.3333" in printed and str(cheap) in printed


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "first"]])
def test_a_part_of_a_run_is_written_only_where_one_asks(cheap, tmp_path, arguments):
    run.main(arguments)
    assert not cheap.exists()

    run.main([*arguments, "--save", str(tmp_path / "here")])
    assert (tmp_path / "here" / "first.csv").is_file() and not cheap.exists()


def test_a_run_that_was_stopped_does_not_count_as_whole(cheap, monkeypatch):
    run.main([])

    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(run.TABLES, "second", stopped)
    with pytest.raises(KeyboardInterrupt):
        run.main([])

    assert (cheap / "first.csv").is_file() and not (cheap / "machine.csv").exists()


@pytest.mark.parametrize("arguments", [["--repetitions", "0"], ["--only", "speed"]])
def test_a_wrong_option_is_refused(cheap, capsys, arguments):
    with pytest.raises(SystemExit):
        run.main(arguments)

    assert "error: " in capsys.readouterr().err


def test_a_whole_run_is_promoted_and_older_tables_go_if_asked(cheap, tmp_path):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    committed = root / "book" / "results" / "benchmarks"
    committed.mkdir(parents=True)
    (committed / "old.csv").write_text("a\n")
    quick = Edition(root, "quick")
    assert promote_benchmarks(quick) == [] and (committed / "old.csv").is_file()

    run.main([])
    added = [f"added benchmarks/{name}.csv" for name in ("first", "machine", "second")]
    with pytest.raises(ValueError, match=r"old\.csv in .* would be removed"):
        promote_benchmarks(quick)
    assert [file.name for file in committed.iterdir()] == ["old.csv"]
    assert promote_benchmarks(quick, prune=True) == [*added, "removed benchmarks/old.csv"]
    assert (committed / "first.csv").read_bytes() == (cheap / "first.csv").read_bytes()
    assert promote_benchmarks(quick) == []

    (cheap / "machine.csv").unlink()
    (cheap / "first.csv").write_text("half")
    assert promote_benchmarks(quick) == [] and (committed / "first.csv").read_text() != "half"


def test_benchmarks_are_promoted_although_chapters_are_stale(cheap, tmp_path, capsys):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    run.main([])

    assert build.main(["results", "--only", "god"], root) == 2, "a mistyped chapter, before anything is copied"
    assert "There is no chapter 'god'" in capsys.readouterr().err and not (root / "book" / "results").exists()
    assert build.main(["results"], root) == 2

    assert (root / "book" / "results" / "benchmarks" / "first.csv").is_file()
    assert "not every chapter is up to date" in capsys.readouterr().err


# -- what is compared is what it says


@pytest.mark.parametrize("name", SETTINGS)
def test_the_plain_network_is_the_architecture(name):
    setting = SETTINGS[name]
    weights = setting.architecture.initialise([3])[0]
    images = torch.randn(5, *setting.architecture.image, generator=torch.Generator().manual_seed(0))

    scores = plain.plain_network(setting.architecture, 3)(images)

    torch.testing.assert_close(scores, setting.architecture.logits(weights, images))


def test_operations_of_a_job_without_epochs_are_one_evaluation_of_both_splits():
    setting = SETTINGS["Tetris MLP"]

    assert setting.operations(setting.images(), models=3, epochs=0) == 2 * 3 * (1400 + 600) * 100


@pytest.mark.parametrize("form", batched_forms.FORMS)
def test_each_batched_form_gives_every_model_its_own_gradient(form):
    network = small_cnn()
    x, y, weights = batched_forms._inputs(network, 3, torch.device("cpu"))

    gradients = batched_forms.FORMS[form](network)(weights, x, y)

    for model, row in enumerate(weights):
        alone = network.module(row).train()
        F.cross_entropy(alone(x[:, model]), y[:, model]).backward()
        expected = network.layout.flatten({name: value.grad for name, value in alone.named_parameters()})
        torch.testing.assert_close(gradients[model], expected, atol=1e-5, rtol=1e-4)


def test_a_form_that_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setitem(batched_forms.FORMS, "wrong", lambda network: lambda weights, x, y: torch.zeros_like(weights))

    with pytest.raises(RuntimeError, match="wrong and grouped convolution differ"):
        batched_forms.batched_forms(QUICK)


def test_a_device_that_is_not_there_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device, message in (("cuda", "finds no CUDA device"), ("abacus", "no device 'abacus'")):
        with pytest.raises(ValueError, match=message):
            batched_forms.batched_forms(QUICK, device)


def test_contestants_take_turns_after_warming_up():
    order = []
    contestants = [
        clock.Contestant(name, 1, lambda n=name: order.append(n), lambda n=name: order.append(f"warm {n}"))
        for name in "ab"
    ]

    clock.measured(contestants, repetitions=3)

    assert order == ["warm a", "warm b", *"ababab"]


def test_processor_time_of_other_processes_counts():
    assert clock.timed(lambda: 100.0).processor >= 100.0
    assert clock.timed(lambda: None).processor < 100.0


def test_a_script_that_fails_says_why(tmp_path, monkeypatch):
    (tmp_path / "fails.py").write_text("import sys\nprint('{}')\nraise ValueError(f'no {sys.argv[1]}')\n")
    monkeypatch.setattr(clock, "__file__", str(tmp_path / "clock.py"))
    with pytest.raises(RuntimeError, match=r"fails\.py failed: .*ValueError: no architecture"):
        clock.in_a_process("fails.py", "architecture")


@pytest.mark.slow
def test_the_stages_of_a_card_run_go_on_and_say_what_failed(tmp_path, monkeypatch, capfd):
    """On the CPU, tiny: every stage leaves its table, and one that is there is not made again."""
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    command = ["--device", "cpu", "--quick", "--minutes", "30", "--save", str(tmp_path / "gpu")]
    assert gpu.main(command) == 0
    made = {file.stem: file.stat().st_mtime_ns for file in (tmp_path / "gpu").glob("*.csv")}
    assert set(made) == {*gpu.STAGES, "identity"}
    assert (pd.read_csv(tmp_path / "gpu" / "rates.csv")["per_s"] > 0).all()
    assert (pd.read_csv(tmp_path / "gpu" / "steps.csv")["share_of_products"] > 0).all()
    (tmp_path / "gpu" / "steps.csv").unlink()
    with pytest.raises(SystemExit, match="of other size"):
        monkeypatch.setattr(gpu, "load_images", lambda *_, **__: None)
        gpu.main([part for part in command if part != "--quick"])
    monkeypatch.setattr(card_stages, "code", lambda: "other")
    with pytest.raises(SystemExit, match="of other code"):
        gpu.main(command)
    monkeypatch.undo()
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(gpu, "STAGES", dict.fromkeys(gpu.STAGES) | {"none such": None})
    monkeypatch.setattr(gpu, "SHARES", gpu.SHARES | {"none such": 0.1})
    assert gpu.main(command) == 1
    said = "".join(capfd.readouterr())
    assert "rates is there" in said and "Failed: none such" in said and (tmp_path / "gpu" / "steps.csv").is_file()
    again = {file.stem: file.stat().st_mtime_ns for file in (tmp_path / "gpu").glob("*.csv")}
    assert {name for name in made if again[name] != made[name]} == {"steps"}


@pytest.mark.parametrize(("given", "said"), [(["--minutes", "0"], "above 0"), ([], "finds no CUDA device")])
def test_a_card_run_says_what_it_needs(given, said, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(given))
    monkeypatch.setattr(gpu, "load_images", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        gpu.main(given)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ((1, "FAILED tests/test_x.py::test_y\n1 failed in 2 s", ""), "did not pass: 1 failed"),
        ((1, "", "No module named pytest"), "did not pass: No module named pytest"),
        (None, "cut off after 5 s"),
    ],
)
def test_tests_of_a_card_that_did_not_pass_leave_no_table(ended, said, monkeypatch):
    def run(call, timeout, **_):
        if ended is None:
            raise subprocess.TimeoutExpired(call, timeout)
        return subprocess.CompletedProcess(call, *ended)

    monkeypatch.setattr(card_stages.subprocess, "run", run)
    with pytest.raises(SystemExit, match=said):
        card_stages.tests(card_stages.Card("cuda", False, 5.0))


def test_one_stage_alone_does_not_mix_its_table_with_those_of_other_code(tmp_path):
    (tmp_path / "rates.csv").write_text("network,per_s\n")
    with pytest.raises(SystemExit, match="rates.csv, of unknown code"):
        gpu.main(["--device", "cpu", "--quick", "--save", str(tmp_path), "--stage", "forms"])
    assert not (tmp_path / "forms.csv").exists()
