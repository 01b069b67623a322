"""Foreign names and the names they are given: told apart, within the law, and to be read back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from rules.names import mapped_apart, mapped_dataset, mapped_workspace, workspace_name

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)
LAWFUL = re.compile("[A-Za-z0-9_]{1,64}")


def read_back(name: str) -> str:
    """Return what was mapped to a part of a dataset's name."""
    parts = re.split("_([0-9A-F]{2})_", name)
    raw = b"".join(p.encode() if n % 2 == 0 else bytes.fromhex(p) for n, p in enumerate(parts))
    return raw.decode()


@given(NAMES, NAMES)
def test_a_measurement_has_a_dataset_whose_name_is_lawful_and_can_be_read_back(
    bucket: str, measurement: str
) -> None:
    name = mapped_dataset(bucket, measurement)
    assert LAWFUL.fullmatch(name)
    if len(name) < 64:
        assert read_back(name) == f"{bucket}__{measurement}"


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_two_measurements_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (mapped_dataset(*one) == mapped_dataset(*other)) is (one == other)


def test_what_the_contract_names_is_so() -> None:
    assert mapped_dataset("b", "airSensors") == "b__airSensors"
    assert mapped_dataset("my-bucket", "a b_c") == "my_2D_bucket__a_20_b_5F_c"
    assert mapped_apart("b", "CPU") != mapped_apart("b", "cpu")


@given(NAMES)
def test_every_organization_has_a_workspace(organization: str) -> None:
    name = mapped_workspace(organization)
    assert LAWFUL.fullmatch(name) and not name.startswith("_")


def test_an_organization_that_may_be_a_workspace_is_one() -> None:
    assert mapped_workspace("acme_1") == workspace_name("acme_1") == "acme_1"
    assert mapped_workspace("my-org") == "my_2D_org"
