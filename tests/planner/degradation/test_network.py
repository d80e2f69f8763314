"""The network: its pieces by hand, its shapes, and the symmetry that it must not have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from planner.degradation.network import (
    Config,
    Grid,
    Kept,
    Task,
    Weights,
    forward,
    latents,
    loss,
    one_thread,
    penalty,
    shapes,
    train,
)

CONFIG = Config(members=2, rank=1, contention=1, machine=1, hidden=1, steps=60)


def zeros(config: Config, k: int, t: int, p: int) -> Weights:
    return {name: torch.zeros(shape) for name, shape in shapes(config, 2, k, t, p).items()}


def grid(k: int, t: int, p: int = 0) -> Grid:
    return Grid(torch.arange(k), torch.arange(t), torch.zeros(k, t, p))


def everything(k: int, t: int) -> Kept:
    return Kept(torch.ones(2, t), torch.ones(2, k))


def test_the_terms_add_up() -> None:
    """Victim 0 (a=1, s=2, q=3), aggressor 1 (b=10, p=5, q=7), machine embedding 1.

    f = bias 100 + 1 + 10 + 2 * 5 * (1 + 0.5) + 3 * 7 * (1 + 0.1) = 149.1; the MLP's output weight is 0.
    """
    w = zeros(CONFIG, 1, 2, 0)
    w["victim_embedding"][:] = torch.tensor([[1.0, 2, 3], [0, 0, 7]])
    w["aggressor_embedding"][:] = torch.tensor([[0.0, 0], [10, 5]])
    w["machine"][:], w["bias"][:] = 1.0, 100.0
    w["modulation"][:] = torch.tensor([[0.5, 0.1]])
    rows = torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 0])
    f = forward(w, CONFIG, grid(1, 2), everything(1, 2), rows)
    # the other direction: bias 100 + contention 7 * 3 * 1.1
    torch.testing.assert_close(f, torch.tensor([[149.1, 123.1]] * 2))


def test_the_residual_is_an_mlp_of_both_latents_and_the_machine_type() -> None:
    w = zeros(CONFIG, 1, 2, 0)
    w["victim_embedding"][:, 0, 0], w["aggressor_embedding"][:, 1, 0], w["machine"][:] = 0.1, 0.2, 0.3
    w["hidden"][:], w["hidden_bias"][:], w["out"][:] = 1.0, 0.4, 2.0
    f = forward(w, CONFIG, grid(1, 2), everything(1, 2), tuple(map(torch.tensor, ([0], [0], [1]))))
    expected = 0.1 + 0.2 + 2 * torch.tanh(torch.tensor(0.1 + 0.2 + 0.3 + 0.4))
    torch.testing.assert_close(f, expected.expand(2, 1))


def test_what_is_dropped_or_unknown_has_only_its_features() -> None:
    w = zeros(CONFIG, 1, 1, 1)
    w["victim_features"][:], w["victim_features_local"][:] = 1.0, 10.0
    w["victim_embedding"][:], w["victim_embedding_local"][:] = 100.0, 1000.0
    encoded = torch.ones(2, 2, 1)
    one = Grid(torch.tensor([0, 1]), torch.tensor([0, 1]), encoded)  # the second of each is not known
    z = latents(w, one, everything(1, 1), "victim")[0, :, :, 0]
    assert z.tolist() == [[1111, 11], [101, 1]]
    no_model = latents(w, one, Kept(torch.zeros(2, 1), torch.ones(2, 1)), "victim")[0, :, :, 0]
    assert no_model.tolist() == [[11, 11], [1, 1]]
    no_type = latents(w, one, Kept(torch.ones(2, 1), torch.zeros(2, 1)), "victim")[0, :, :, 0]
    assert no_type.tolist() == [[101, 1], [101, 1]]


def task(target: float, censored: bool) -> Task:
    zero = torch.tensor([0])
    return Task(zero, zero, zero, torch.tensor([[target]]), torch.tensor([censored]), torch.ones(1, 1))


@pytest.mark.parametrize(
    ("f", "censored", "expected"),
    [
        (3.0, False, 1.2**2 * (((1 + (2 / 1.2) ** 2) ** 0.5) - 1)),
        (-1.0, False, 1.2**2 * (((1 + (2 / 1.2) ** 2) ** 0.5) - 1)),
        (3.0, True, 1.2**2 * (((1 + (2 / 1.2) ** 2) ** 0.5) - 1)),
        (-1.0, True, 0.0),
    ],
)
def test_a_censored_row_costs_only_above_its_value(f: float, censored: bool, expected: float) -> None:
    value = loss(torch.tensor([[f]]), task(1.0, censored), 1.2)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_a_member_does_not_learn_from_what_it_leaves_out() -> None:
    zero = torch.tensor([0, 0])
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    left = Task(zero, zero, zero, torch.zeros(2, 2), torch.zeros(2, dtype=torch.bool), weight)
    value = loss(torch.tensor([[0.0, 9.0], [9.0, 0.0]]), left, 1.0)
    assert value.tolist() == [0, 0]


def test_the_penalty_shrinks_what_is_peculiar_with_its_own_weight() -> None:
    config = replace(CONFIG, shrink=1.0, shrink_local=10.0, shrink_mlp=100.0)
    w = zeros(config, 1, 1, 0)
    w["bias"][:] = 7.0  # free
    w["victim_embedding"][0, 0, 0], w["victim_embedding_local"][0, 0, 0, 0], w["out"][0, 0] = 1.0, 2.0, 3.0
    assert penalty(w, config).tolist() == [1 + 10 * 4 + 100 * 9, 0]


def test_training_learns_a_direction_and_repeats_itself() -> None:
    k, v, u = torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 0])
    no = torch.zeros(2, dtype=torch.bool)
    both = Task(k, v, u, torch.tensor([[1.0, -1.0]] * 2), no, torch.ones(2, 2))
    config = replace(CONFIG, shrink=1e-3, shrink_local=1e-3, shrink_mlp=1e-3, drop=0.0)
    seen: list[int] = []
    first = train(both, grid(1, 2), everything(1, 2), config, 0, lambda step, steps: seen.append(step))
    again = train(both, grid(1, 2), everything(1, 2), config, 0)
    other = train(both, grid(1, 2), everything(1, 2), config, 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["victim_embedding"], other["victim_embedding"])
    f = forward(first, config, grid(1, 2), everything(1, 2), (k, v, u))
    assert f[:, 0].min() > 0.5
    assert f[:, 1].max() < -0.5
    assert seen == [*range(1, config.steps + 1)]


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
