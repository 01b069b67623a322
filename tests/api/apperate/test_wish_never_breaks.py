"""Whatever a caller of the rules API sends, it is a rule or is refused by name."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.apperate.translate import declaration, subscription
from api.apperate.wish import read_wish
from rules.alerting.rule import read_rule
from rules.alerting.subscription import read_subscription
from rules.errors import Problem
from rules.limits import Limits
from rules.schema.dataset import Column, ColumnType, Dataset

LIMITS = Limits()
DATASET = Dataset(
    1,
    "w",
    "d",
    1,
    {},
    (
        Column("k", ColumnType.INTEGER, 1),
        Column("a", ColumnType.NUMBER, 2),
        Column("s", ColumnType.STRING, 3),
    ),
    key=("k",),
)

words = st.sampled_from(
    ["a", "s", "d", "d:1", "d:x", "ANYEVENT", "w:DATASET:d:a", "w:d:1:s", "$index[0]", "$index[9]"]
)
others = st.sampled_from(
    ["any", "all", "webhook", "logs", "email", "http://h/x", "1", "1e9999", "-0", "`", "is", ">"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | words | others,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | others, inner, max_size=3),
    max_leaves=12,
)
triples = st.lists(st.lists(anything, min_size=3, max_size=3) | anything, max_size=4)
fields = dict.fromkeys(("url", "to", "frequency", "message"), anything)
outputs = st.lists(st.fixed_dictionaries({"method": others}, optional=fields), max_size=2)
bodies = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "dataset", "workspace", "key", "additionalKeys", "odd"), anything),
        "ruleName": st.text(max_size=5) | anything,
        "ruleSet": words | anything,
        "index": st.lists(words, max_size=3) | anything,
        "type": others | anything,
        "conditions": triples | anything,
        "outputs": outputs | anything,
    },
)


@given(bodies, st.sampled_from([None, DATASET]))
def test_a_body_is_a_rule_or_is_refused(body: dict[str, Any], dataset: Dataset | None) -> None:
    try:
        wish = read_wish(body)
        rule = read_rule("w", declaration(wish, dataset), rule_id="r", now=0, limits=LIMITS)
        told = subscription(wish, rule.id)
        if told is not None:
            read_subscription("w", told, subscription_id="s", minted="whsec_" + "A" * 32, now=0)
    except Problem as refused:
        assert 400 <= refused.code.status < 500
        assert refused.detail
