"""A wrong mapping file is refused when it is loaded, and the error names the file and the key."""

from __future__ import annotations

import pytest

from adapter import data
from adapter.errors import DataFileError
from adapter.mapping import model, tabular
from adapter.mapping.events import events
from tests.unit.engine import HEAD, rows, segments

RULE = '{ to = "birthDate", from = "dob", as = "us_date" }'


def maps(*rules, more=""):
    return f'[[map]]\nresource = "Patient"\n{more}\nrules = [{", ".join(rules)}]\n'


def refuse(folder, text):
    """(key, text) of the error that a file of this text gives when it is bound."""
    file = folder / "m.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError) as caught:
        tabular.TableMapping(model.load(file)).bind(["dob"], ["DOB"])
    assert caught.value.file == "m.toml"
    assert str(caught.value).startswith(f"m.toml: {caught.value.key}: ")
    return caught.value.key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('confidence = "confirmed"', "source"),
        ('source = ""\nconfidence = "confirmed"', "source"),
        ('source = "x"', "confidence"),
        ('source = "x"\nconfidence = "sure"', "confidence"),
        (HEAD + 'sauce = "x"', "file.sauce"),
        (HEAD + 'ignore = "dob"', "file.ignore"),
        (HEAD + "map = 3", "file.map"),
        (HEAD + "map = [3]", "map"),
        (HEAD + "rules = [", "syntax"),
        (HEAD + '[[map]]\nname = "X"', "map.resource"),
        (HEAD + maps(RULE, more='keys = ["name"]'), "map Patient.keys"),
        (HEAD + maps(RULE, more='key = "name"'), "map Patient.key"),
        (HEAD + maps(RULE, more='once = "yes"'), "map Patient.once"),
        (HEAD + maps(RULE, more="name = 3"), "map Patient.name"),
        (HEAD + maps(RULE) + maps(RULE), "map Patient"),
        (HEAD + maps("3"), "map Patient.rules"),
        (HEAD + maps('{ to = "x", from = "dob", when = "y" }'), "Patient.x.when"),
        (HEAD + maps('{ to = "x", from = "dob", need = "yes" }'), "Patient.x.need"),
        (HEAD + maps('{ to = "x", from = 5 }'), "Patient.x.from"),
        (HEAD + maps('{ to = "x" }'), "Patient.x"),
        (HEAD + maps('{ to = "x", from = "dob", value = 1 }'), "Patient.x"),
        (HEAD + maps('{ to = "x", from = "dob", link = "Patient" }'), "Patient.x"),
        (HEAD + maps('{ to = "x", value = 1, need = true }'), "Patient.x"),
        (HEAD + maps('{ to = "x", link = "Patient", unless = "dob" }'), "Patient.x"),
        (HEAD + maps('{ to = "x", from = "dob", build = "b", as = "text" }'), "Patient.x"),
        (HEAD + maps('{ to = "Birth Date", from = "dob" }'), "Patient.Birth Date"),
        (HEAD + maps('{ to = "name[Usual]", from = "dob" }'), "Patient.name[Usual]"),
        (HEAD + maps('{ to = "", from = "dob" }'), "Patient."),
        (HEAD + maps('{ from = "dob" }'), "Patient."),
        (HEAD + maps(RULE, '{ to = "birthDate", from = "day" }'), "Patient.birthDate"),
        (HEAD + maps('{ to = "name[a].family", from = "dob" }',
                     '{ to = "name[a].family", value = "x" }'), "Patient.name.family"),
        (HEAD + 'ignore = ["dob"]\n' + maps(RULE), "dob"),
        (HEAD + maps('{ to = "x", from = "dob", as = "no_such" }'), "no_such"),
        (HEAD + maps('{ to = "x", from = "dob", as = "xpn" }'), "xpn"),
        (HEAD + maps('{ to = "x", from = "dob", build = "no_such" }'), "no_such"),
        (HEAD + maps('{ to = "x", from = "dob", unless = "day" }'), "day"),
        (HEAD + maps('{ to = "x", link = "Person" }', RULE), "Patient.x"),
    ],
)  # fmt: skip
def test_a_wrong_file_names_its_key(tmp_path, text, key):
    assert refuse(tmp_path, text) == key


def test_a_table_that_does_not_exist(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(HEAD + maps('{ to = "gender", from = "dob", table = "no-such" }'))
    with pytest.raises(DataFileError, match=r"terminology/tables/no-such\.csv: file: does not"):
        tabular.TableMapping(model.load(file)).bind(["dob"], ["DOB"])


def test_a_file_that_does_not_exist():
    with pytest.raises(DataFileError, match=r"mappings/mif/no-such\.toml: file: does not exist"):
        tabular.load("mif", "no-such")


@pytest.mark.parametrize(
    "rules",
    [
        [RULE, '{ to = "name[]", from = "a" }', '{ to = "name[]", from = "b" }'],
        [RULE, '{ to = "birthDate", from = "day", unless = "dob" }'],
        ['{ to = "gender", from = "dob", where = "M" }',
         '{ to = "gender", from = "dob", where = "F" }'],
    ],
)  # fmt: skip
def test_two_rules_for_one_element_that_say_when(tmp_path, rules):
    assert rows(tmp_path, maps(*rules), "dob")


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ('{ to = "x", from = "PV1-2" }', "PV1-2"),
        ('{ to = "x", from = "PID" }', "PID"),
        ('{ to = "x", from = "PID-5.1.2" }', "PID-5.1.2"),
        ('{ to = "x", from = "pid-5" }', "pid-5"),
        ('{ to = "x", from = "PID-5", as = "no_such" }', "no_such"),
        ('{ to = "x", from = "PID-5", build = "no_such" }', "no_such"),
        ('{ to = "x", from = "PID-8", table = "administrative-sex", as = "xpn" }', "xpn"),
        ('{ to = "x", from = "PID-5", unless = "PV1-2" }', "PV1-2"),
        ('{ to = "x", from = "PID-5", unless = "name" }', "name"),
        ('{ to = "x", from = "PID-5", unless = "PID-5.1" }', "PID-5.1"),
        ('{ to = "x", from = "PID-3", where = "MR" }', "Patient.x"),
        ('{ to = "x", from = "PID-3", where = "five=MR" }', "Patient.x"),
        ('{ to = "x", from = "PID-3", where = "0=MR" }', "Patient.x"),
    ],
)
def test_a_wrong_segment_names_its_key(tmp_path, monkeypatch, rule, key):
    with pytest.raises(DataFileError) as caught:
        segments(monkeypatch, tmp_path, PID=maps(rule))
    assert caught.value.key == key
    assert caught.value.file == "pid.toml"


@pytest.mark.parametrize("ignored", ["PV1-1", "PID"])
def test_ignored_is_a_field_of_the_segment(tmp_path, monkeypatch, ignored):
    with pytest.raises(DataFileError) as caught:
        segments(monkeypatch, tmp_path, PID=f'ignore = ["{ignored}"]\n' + maps())
    assert caught.value.key == ignored


def test_every_shipped_mapping_loads():
    assert {"A01", "A03", "A04", "A08"} <= events().keys()
    for file in data.path("mappings", "forms").glob("*.toml"):
        assert tabular.load("forms", file.stem).fields
    assert tabular.load("mif", "member").required
    assert tabular.load("services", "contact").required
