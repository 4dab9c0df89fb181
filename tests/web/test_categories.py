from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
import yaml

from beam_seed.fasttext_model.package import CARD
from beam_seed.web.categories import DEFAULT_TABLE, NAMES, Found, load_rules, load_table, strong_rule, weak_rule
from beam_seed.web.category_model import classify, features, open_model
from beam_seed.web.datasets import pages_table
from beam_seed.web.records import Extracted, Response, make_page
from beam_seed.web.train_categories import choose_probability
from pipelines import train_categories as command


def page(host="site.example", path="/", content="some text", generator="", markup="", title=""):
    response = Response("crawl.warc.gz", 0, f"http://{host}{path}", "2024-01-01T00:00:00Z", "text/html", "", b"")
    return make_page(response, host, path, Extracted(title, content, "utf-8", "en", 0, 0, 10, 0.1), generator, markup)


# ---- the table


def test_the_default_table_is_whole():
    table = load_table()
    assert tuple(table.policies) == NAMES
    assert len({policy.criteria for policy in table.policies.values()}) == len(NAMES)
    raw = yaml.safe_load(DEFAULT_TABLE.read_text())
    assert all(raw["categories"][name]["why"] for name in NAMES)


def changed(tmp_path, change):
    value = yaml.safe_load(DEFAULT_TABLE.read_text())
    change(value)
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(value))
    return str(path)


def test_an_edited_table(tmp_path):
    def change(value):
        del value["categories"]["qa"]["drop_lowest"]
        value["categories"]["qa"]["threshold"] = 0.25
        value["target_mix"] = {"qa": 0.75, "forum": 0.25}

    table = load_table(changed(tmp_path, change))
    assert (table.policies["qa"].threshold, table.policies["qa"].drop_lowest) == (0.25, None)
    assert table.target_mix == {"qa": 0.75, "forum": 0.25}
    assert json.loads(json.dumps(table.plain()))["policies"]["qa"] == [None, 0.25, 1.0]


WRONG = {
    "a category is missing": (lambda v: v["categories"].pop("qa"), "categories differ from ours in qa"),
    "an unknown category": (lambda v: v["categories"].update(poetry={}), "differ from ours in poetry"),
    "two limits": (lambda v: v["categories"]["qa"].update(threshold=0.5), "category qa: expected drop_lowest or threshold"),
    "no limit": (lambda v: v["categories"]["qa"].pop("drop_lowest"), "category qa: expected drop_lowest or threshold"),
    "everything dropped": (lambda v: v["categories"]["qa"].update(drop_lowest=1), "drop_lowest is 1; expected a number from 0 to below 1"),
    "a rate above one": (lambda v: v["categories"]["qa"].update(sampling_rate=1.5), "category qa: sampling_rate is 1.5"),
    "a rate that is a word": (lambda v: v["categories"]["qa"].update(sampling_rate="all"), "sampling_rate is 'all'"),
    "a rate that is a truth": (lambda v: v["categories"]["qa"].update(sampling_rate=True), "sampling_rate is True"),
    "an unknown field": (lambda v: v["categories"]["qa"].update(rate=1), r"category qa: found \['rate'\]"),
    "no criteria": (lambda v: v["categories"]["qa"].update(criteria=" "), "category qa: criteria is ' '"),
    "a category that is a list": (lambda v: v["categories"].update(qa=[1]), r"category qa: found \[1\]"),
    "a mix that does not sum to one": (lambda v: v.update(target_mix={"qa": 0.5}), "target_mix sums to 0.5; expected 1"),
    "a mix of something else": (lambda v: v.update(target_mix={"poetry": 1}), "target_mix is {'poetry': 1}"),
    "an unknown part": (lambda v: v.update(targets={}), "has 'targets'"),
    "no categories": (lambda v: v.pop("categories"), "has no 'categories'"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG.keys())
def test_wrong_tables_are_refused(tmp_path, change, told):
    with pytest.raises(ValueError, match=told):
        load_table(changed(tmp_path, change))


def test_what_is_no_yaml(tmp_path):
    (tmp_path / "t.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="is no YAML"):
        load_table(str(tmp_path / "t.yaml"))


# ---- the rules


def test_no_evidence_is_claimed_twice():
    rules = load_rules()
    assert set(rules.hosts.values()) <= set(NAMES)
    # Names are looked up as pages' are written: lower case, digits as '0'.
    for name in [*rules.hosts, *rules.first_labels, *rules.markup, *rules.generators, *rules.paths]:
        assert name == name.lower()
    assert not any(character.isdigit() and character != "0" for name in rules.markup for character in name)


HOSTS = {
    "stackoverflow.com": "qa",
    "unix.stackexchange.com": "qa",
    "notstackoverflow.com": None,
    "en.wikipedia.org": None,
    "news.ycombinator.com": "forum",  # longer than news.*
    "news.example.org": "news",
    "news.org": None,  # a domain, not a label of one
    "docs.example.org:8080": "documentation",
    "project.readthedocs.io": "documentation",
    "github.com": "code_hosting",
    "blog.github.com": "code_hosting",
    "www.example.org": None,
    "": None,
}


@pytest.mark.parametrize(("host", "category"), HOSTS.items())
def test_hosts(host, category):
    found = strong_rule(host, "", "")
    assert (found and found.category) == category


@pytest.mark.parametrize(
    ("generator", "category"),
    [
        ("wordpress 6.4.2", "tech_blog"),
        ("docbook xsl stylesheets v1.79.1", "documentation"),
        ("docutils 0.19: https://docutils.sourceforge.io/", "documentation"),
        ("movable type pro 5", "tech_blog"),
        ("wordpressy", None),
        ("", None),
    ],
)
def test_generators(generator, category):
    found = strong_rule("site.example", generator, "")
    assert (found and found.category) == category


def test_order_of_evidence():
    assert strong_rule("github.com", "wordpress 6", "phpbb") == Found("code_hosting", "host")
    assert strong_rule("site.example", "wordpress 6", "header woocommerce") == Found("e_commerce", "markup")
    assert strong_rule("site.example", "wordpress 6", "header") == Found("tech_blog", "generator")
    assert weak_rule("/en/Forum/viewtopic.php?t=1") == Found("forum", "path")
    assert weak_rule("/en/docs.html?q=/blog/") == Found("other", "default")


# ---- the model


def many():
    """Pages of five hosts for each of two forms, told by generator and by markup; the forms differ in words and names."""
    pages = []
    for host in range(5):
        for number in range(12):
            pages.append(page(f"d{host}.example", f"/x/{number}", f"Returns the value of parameter {number}.", "sphinx 7", "toc param"))
            pages.append(page(f"s{host}.example", f"/y/{number}", f"Buy now, only {number} left in stock!", "", "basket schema:product"))
    return pages


def test_features_do_not_tell_what_the_rules_told():
    line = features(page("stackoverflow.com", "/q/12/how-to", "Text [a](http://b.example)\n# H", "sphinx 7", "qtext schema:qapage"))
    assert "path:how" in line
    assert "name:qtext" in line
    for told in ("stackoverflow", "sphinx", "schema", "b.example"):
        assert told not in line
    assert "\n" not in line


def test_a_trained_model_decides_where_rules_do_not(tmp_path, capsys):
    pq.write_table(pages_table(many()), tmp_path / "pages.parquet")
    for name in ("one", "two"):
        assert command.main([f"--input={tmp_path / 'pages.parquet'}", f"--output={tmp_path / name}"]) == 0
    assert "100.0% decided with precision 1.0000" in capsys.readouterr().out
    assert (tmp_path / "one" / CARD).read_bytes() == (tmp_path / "two" / CARD).read_bytes()
    model = open_model(str(tmp_path / "one"))
    shop = page("new.example", "/y/3", "Buy now, only 3 left in stock!", markup="basket")
    told = page("stackoverflow.com", "/y/3", "Buy now, only 3 left in stock!", markup="basket")
    assert classify([shop, told], model) == [Found("e_commerce", "model"), Found("qa", "host")]
    assert classify([shop, told], None) == [Found("other", "default"), Found("qa", "host")]
    assert classify([shop], model._replace(min_probability=1.1)) == [Found("other", "default")]


def test_training_needs_two_hosts_of_two_categories(tmp_path, capsys):
    pq.write_table(pages_table([each for each in many() if each.repo[0] == "d"]), tmp_path / "pages.parquet")
    assert command.main([f"--input={tmp_path / 'pages.parquet'}", f"--output={tmp_path / 'model'}"]) == 1
    assert "{'documentation': 5}; expected at least two hosts of at least two categories" in capsys.readouterr().err


def test_the_probability_from_which_on_the_model_decides():
    told = ["a"] * 10
    predicted = [("a", 0.9)] * 8 + [("b", 0.5), ("b", 0.4)]
    assert choose_probability(told, predicted) == (0.9, 0.8, 1.0)
    assert choose_probability(told, [("a", 0.9)] * 9 + [("b", 0.9)]) == (0.9, 1.0, 0.9)
    assert choose_probability(told, [("b", 0.9)] * 10) == (1.1, 0.0, 1.0)
