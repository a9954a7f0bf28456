import hashlib

from hypothesis import given
from hypothesis import strategies as st

from labbox.build.python.layer_plan import (
    MOST_LAYERS,
    SMALLEST_THRESHOLD,
    PlannedLayer,
    bucket_of,
    choose_threshold,
    plan_layers,
    plan_one_layer,
)
from labbox.lock.lab import LockedWheel


def wheel(name: str, size: int = 1000, version: str = "1") -> LockedWheel:
    sha256 = hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    return LockedWheel(
        name=name, version=version, file_name=f"{name}-{version}-py3-none-any.whl", url="", size=size, sha256=sha256
    )


WHEELS = st.lists(
    st.builds(wheel, st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers(1, 1 << 24)),
    unique_by=lambda wheel: wheel.name,
)


@given(WHEELS, st.randoms())
def test_a_plan_holds_every_wheel_once_whatever_their_order(wheels: list[LockedWheel], random: object) -> None:
    plan = plan_layers(wheels, SMALLEST_THRESHOLD)
    assert sorted(w.name for layer in plan for w in layer.wheels) == sorted(w.name for w in wheels)
    shuffled = list(wheels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan_layers(shuffled, SMALLEST_THRESHOLD) == plan
    assert all(layer.wheels for layer in plan)


@given(WHEELS)
def test_a_wheel_more_changes_one_layer(wheels: list[LockedWheel]) -> None:
    before, after = (set(plan_layers(some, 1 << 20)) for some in (wheels, [*wheels, wheel("added-package")]))
    assert len(after - before) == 1
    assert len(before - after) <= 1


def test_a_new_version_stays_in_its_layer() -> None:
    others = [wheel(f"p{number}") for number in range(100)]
    before = plan_layers([*others, wheel("x")], 1 << 20)
    after = plan_layers([*others, wheel("x", version="2")], 1 << 20)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_buckets_never_change() -> None:
    assert [bucket_of(name) for name in ("numpy", "six", "pip", "tensorflow-cpu")] == [3, 4, 14, 3]


def test_the_threshold_is_lifted_until_the_layers_are_few_enough() -> None:
    few = [wheel(f"p{number}", 2 << 20) for number in range(44)]
    assert choose_threshold(few) == 1 << 20
    many = [wheel(f"p{number}", (3 << 20) + number) for number in range(200)]
    assert choose_threshold(many) == 4 << 20
    assert len(plan_layers(many, choose_threshold(many))) <= MOST_LAYERS


def test_services_are_one_layer_by_name() -> None:
    assert plan_one_layer([]) == []
    assert plan_one_layer([wheel("b"), wheel("a")]) == [PlannedLayer(wheels=(wheel("a"), wheel("b")))]


def test_a_layer_has_a_title() -> None:
    assert PlannedLayer(wheels=(wheel("a"),)).title == "a 1"
    assert PlannedLayer(wheels=(wheel("a"), wheel("b"))).title == "2 packages"
