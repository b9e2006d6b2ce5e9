"""Reading referral forms: JSON and QuestionnaireResponse to one Record, and what is refused."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.questionnaire import Questionnaire
from hypothesis import given
from hypothesis import strategies as st

from adapter import data
from adapter.errors import DataFileError
from adapter.issues import DETAILS
from adapter.sources import form_layout, forms, json_text
from adapter.sources.form_layout import Field, Form

FORM = form_layout.load("sacramento")
FIXTURES = data.path("fixtures", "referral")
CONSTRAINT = "http://hl7.org/fhir/StructureDefinition/questionnaire-constraint"


def fixture(case: str) -> Any:
    return json.loads((FIXTURES / case / "input.json").read_text(encoding="utf-8"))


ADULT = fixture("adult")
RESPONSE = fixture("adult-response")


def found(raw: Any) -> list[tuple[str, str, str]]:
    """Severity, slug and field of every issue."""
    return [
        (issue.severity, issue.detail, issue.at.field if issue.at else "")
        for issue in forms.read(raw, FORM, "form.json").issues
    ]


def test_a_record_has_one_position_per_column_and_an_option_each_for_boxes() -> None:
    record = forms.read(ADULT, FORM, "form.json").record
    assert record is not None
    assert tuple(record.labels) == FORM.columns
    assert len(record.fields) == len(FORM.columns) == len(FORM.fields) + 3
    boxes = [i for i, name in enumerate(FORM.columns) if name == "population-of-focus"]
    assert [record.fields[i] for i in boxes] == ["homelessness", "", "", "smh-sud"]
    date = record.value(FORM.columns.index("referral-date"))
    assert (date.text, date.at.line, date.at.field) == ("2026-03-02", 1, "referral-date")


@pytest.mark.parametrize("case", ["adult-response", "adult-sections"])
def test_every_wire_form_of_a_referral_gives_the_same_record(case: str) -> None:
    assert forms.read(fixture(case), FORM, "x") == forms.read(ADULT, FORM, "x")


def test_a_flat_questionnaire_response_is_as_good_as_a_grouped_one() -> None:
    flat = copy.deepcopy(RESPONSE)
    flat["item"] = [item for group in flat["item"] for item in group["item"]]
    assert forms.read(flat, FORM, "x") == forms.read(ADULT, FORM, "x")


def test_an_item_nested_in_an_answer_is_read() -> None:
    nested = copy.deepcopy(RESPONSE)
    last = nested["item"].pop()
    nested["item"][0]["item"][0]["answer"][0]["item"] = last["item"]
    assert forms.read(nested, FORM, "x").record == forms.read(ADULT, FORM, "x").record


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"member-birth-date": "1979-02-30"}, ("error", "date-format", "member-birth-date")),
        ({"member-birth-date": "79-02-03"}, ("error", "date-format", "member-birth-date")),
        ({"member-birth-date": "04/09/1979 "}, None),
        ({"member-birth-date": "4/9/1979"}, None),
        ({"member-birth-date": 28954}, ("error", "value-format", "member-birth-date")),
        ({"health-plan": "KAISER"}, ("error", "required", "reason-for-referral")),
        ({"health-plan": "anthem blue cross"}, None),
        ({"health-plan": "other"}, ("error", "code-unknown", "health-plan")),
        ({"health-plan": ["anthem", "molina"]}, ("error", "value-format", "health-plan")),
        ({"health-plan": ["anthem"]}, None),
        ({"population-of-focus": "incarceration"}, None),
        ({"population-of-focus": []}, ("error", "required", "population-of-focus")),
        ({"population-of-focus": [], "continuity-of-care": True}, None),
        (
            {"population-of-focus": [], "continuity-of-care": False},
            ("error", "required", "population-of-focus"),
        ),
        ({"opts-for-ecm": False}, ("error", "required", "opts-for-ecm")),
        ({"opts-for-ecm": "true"}, ("error", "flag-format", "opts-for-ecm")),
        ({"opts-for-ecm": None}, ("error", "required", "opts-for-ecm")),
        ({"member-first-name": "   "}, ("error", "required", "member-first-name")),
        ({"member-first-name": "\x00"}, ("error", "value-format", "member-first-name")),
        ({"member-first-name": "\ud800"}, ("error", "value-format", "member-first-name")),
        ({"external-source": "other"}, ("error", "required", "external-source-other")),
        ({"external-source": "other", "external-source-other": "School"}, None),
        ({"member": {"member-cin": "90000017A"}}, None),
        ({"member": {"member-cin": "90000025B"}}, ("error", "value-format", "member-cin")),
        ({"member": {"colour": "x"}}, ("warning", "unmapped", "colour")),
        ({"member": "x"}, ("warning", "unmapped", "member")),
        ({"farbe\n": "x"}, ("warning", "unmapped", "(unreadable name)")),
    ],
)
def test_answers(change: dict[str, Any], issue: tuple[str, str, str] | None) -> None:
    assert found(ADULT | change) == ([] if issue is None else [issue])


@pytest.mark.parametrize(
    ("raw", "issue"),
    [
        (b"", ("error", "file-empty", "")),
        (b"\xef\xbb\xbf \n", ("error", "file-empty", "")),
        (b"\xff\xfe{", ("error", "file-encoding", "")),
        (b"PK\x03\x04", ("error", "file-format", "")),
        (b"[]", ("error", "file-format", "")),
        (b'"text"', ("error", "file-format", "")),
        (b'{"a": NaN}', ("error", "file-format", "")),
        (b'{"a": 1' + b"0" * 5000 + b"}", ("error", "file-format", "")),
        (b'{"a": 1, "a": 1}', ("error", "file-format", "a")),
        (b'{"a":' + b"[" * 100_000, ("error", "file-format", "")),
        (b'{"a":"' + b"x" * json_text.MAX_BYTES + b'"}', ("error", "file-size", "")),
        (b'{"a":' + b'\\"' * 400_000, ("error", "file-format", "")),
        (b'{"resourceType": "Patient"}', ("error", "resource-type", "resourceType")),
    ],
)
def test_what_is_no_form_is_one_issue(raw: bytes, issue: tuple[str, str, str]) -> None:
    assert found(raw) == [issue]
    assert forms.read(raw, FORM).record is None


def test_json_errors_name_their_line() -> None:
    (issue,) = forms.read('{\n"a": 1,\n!', FORM).issues
    assert issue.at is not None
    assert issue.at.line == 3


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"questionnaire": None}, ("error", "not-supported", "questionnaire")),
        ({"questionnaire": FORM.url}, None),
        ({"questionnaire": FORM.url + "x"}, ("error", "not-supported", "questionnaire")),
        ({"status": "in-progress"}, ("error", "value-format", "status")),
        ({"status": ["completed"]}, ("error", "value-format", "status")),
        ({"status": "amended"}, None),
        ({"author": {"display": "x"}}, ("warning", "unmapped", "author")),
    ],
)
def test_elements_of_a_questionnaire_response(
    change: dict[str, Any], issue: tuple[str, str, str] | None
) -> None:
    assert found(RESPONSE | change) == ([] if issue is None else [issue])


@pytest.mark.parametrize(
    ("item", "issue"),
    [
        ({"linkId": "shoe-size"}, ("warning", "unmapped", "shoe-size")),
        ({"linkId": "member", "answer": [{}]}, ("warning", "unmapped", "member")),
        ({"linkId": 4}, ("error", "resource-structure", "item")),
        ("text", ("error", "resource-structure", "item")),
        ({"linkId": "member", "item": {}}, ("error", "resource-structure", "item")),
        ({"linkId": "comments", "answer": {}}, ("error", "resource-structure", "comments")),
        (
            {"linkId": "previous-last-day", "answer": [{"valueString": "2026-01-01"}]},
            ("error", "value-format", "previous-last-day"),
        ),
        (
            {"linkId": "previous-plan", "answer": [{"valueString": "A"}, {"valueString": "B"}]},
            ("error", "value-format", "previous-plan"),
        ),
        (
            {"linkId": "member-interest", "answer": [{"valueCoding": {"display": "Perhaps"}}]},
            ("error", "code-unknown", "member-interest"),
        ),
    ],
)
def test_items_of_a_questionnaire_response(item: Any, issue: tuple[str, str, str]) -> None:
    changed = RESPONSE | {"item": [*RESPONSE["item"], item]}
    assert found(changed) == [issue]


def test_no_issue_holds_a_value() -> None:
    secret = "Zyxwvut"
    for name in FORM.fields:
        for value in (secret, [secret, secret + "2"], {"a": secret}):
            for issue in forms.read(ADULT | {name: value}, FORM).issues:
                assert secret not in issue.text
                assert secret not in str(issue.at)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*FORM.fields, *FORM.sections, "resourceType", "item", "answer"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*FORM.fields, *FORM.sections, "x"]), json_values))
def test_the_reader_takes_any_json_object(value: dict[str, Any]) -> None:
    reading = forms.read(value, FORM)
    assert (reading.record is None) == any(issue.failed for issue in reading.issues)
    assert all(issue.detail in DETAILS for issue in reading.issues)


VALUES = ("valueString", "valueCoding", "valueDate", "valueBoolean")


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "linkId": st.sampled_from([*FORM.fields, "x"]) | json_values,
                "answer": json_values
                | st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional=dict.fromkeys(
                            ("valueString", "valueCoding", "valueDate", "valueBoolean"), json_values
                        ),
                    )
                ),
                "item": json_values,
            },
        )
    )
)
def test_the_reader_takes_any_items(items: list[Any]) -> None:
    value = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": items}
    reading = forms.read(value, FORM)
    assert reading.record is None
    assert reading.issues


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_the_reader_takes_any_bytes(raw: bytes | str) -> None:
    assert forms.read(raw, FORM).record is None


@given(json_values)
def test_json_text_reads_what_json_writes(value: Any) -> None:
    text = json.dumps(value)
    if "NaN" in text or "Infinity" in text:
        return
    assert _same(json_text.loads(text), value)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right)
    return bool(left == right)


# ---- the definition and its Questionnaire ---------------------------------------------------


def test_the_questionnaire_is_made_from_the_layout() -> None:
    file = data.path("profiles", f"Questionnaire-{FORM.url.rpartition('/')[2]}.json")
    shipped = data.json(file)
    assert shipped == questionnaire(FORM)
    Questionnaire.model_validate(shipped)


def test_every_form_is_listed() -> None:
    assert "sacramento" in form_layout.names()


@pytest.mark.parametrize("name", ["no-such-form", "../sacramento", "a/../sacramento", "", "x" * 99])
def test_an_unknown_form_has_no_file(name: str) -> None:
    with pytest.raises(DataFileError) as caught:
        form_layout.load(name)
    assert caught.value.key == "file"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('title = "Sacramento', 'titel = "Sacramento', "titel"),
        ('confidence = "confirmed"', 'confidence = "sure"', "confidence"),
        ('type = "npi"', 'type = "number"', "referring-organization-npi.type"),
        ('id = "comments"', 'id = "health-plan"', "health-plan"),
        ('section = "plan"', 'section = "plans"', "health-plan"),
        ('label = "Referrer phone"', 'lable = "Referrer phone"', "referrer-phone.lable"),
        ("{ health-plan = ", "{ health-plam = ", "health-plam"),
        ('type = "phone"', 'type = "choice"', "member-phone.options"),
        ('version = "2022"', 'version = ""', "version"),
    ],
)
def test_a_wrong_layout_names_file_and_key(
    old: str, new: str, key: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = data.path("mappings", "forms", "layouts", "sacramento.toml").read_text("utf-8")
    assert old in text
    folder = tmp_path / "mappings" / "forms" / "layouts"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text(text.replace(old, new, 1), "utf-8")
    monkeypatch.setattr(data, "root", lambda: tmp_path)
    with pytest.raises(DataFileError) as caught:
        form_layout.load.__wrapped__("broken")
    assert caught.value.file == "mappings/forms/layouts/broken.toml"
    assert caught.value.key == key


def questionnaire(form: Form) -> dict[str, Any]:
    """The R4 Questionnaire of a form; print it to profiles/ after a change of the layout."""
    uid = form.url.rpartition("/")[2]
    return {
        "resourceType": "Questionnaire",
        "id": uid,
        "extension": list(_constraints(form)),
        "url": form.url,
        "version": form.version,
        "name": "EcmReferral" + form.name.title(),
        "title": form.title,
        "status": "active",
        "experimental": False,
        "subjectType": ["Patient"],
        "publisher": "ecm-adapter",
        "description": f"Made from mappings/forms/layouts/{form.name}.toml; "
        "labels are in our words.",
        "item": [
            {
                "linkId": name,
                "text": text,
                "type": "group",
                "item": [_item(f) for f in form.fields.values() if f.section == name],
            }
            for name, text in form.sections.items()
        ],
    }


def _item(field: Field) -> dict[str, Any]:
    kind = field.type if field.type in ("date", "boolean", "choice", "text") else "string"
    item: dict[str, Any] = {"linkId": field.name, "text": field.label, "type": kind}
    item |= {"required": True} if field.required else {}
    item |= {"repeats": True} if field.repeats else {}
    options = [
        {"valueCoding": {"system": field.system, "code": code, "display": display}}
        for code, display in field.options.items()
    ]
    return item | ({"answerOption": options} if options else {})


def _constraints(form: Form) -> Iterator[dict[str, Any]]:
    for field in form.fields.values():
        value = _value(field.name)
        if field.must:
            yield _constraint(
                f"{field.name}-must", f"{field.label}: has to be checked", f"{value} = true"
            )
        for other, option in field.required_if:
            yield _constraint(
                f"{field.name}-if",
                f"{field.label}: required when {other} is {option}",
                f"{_value(other)}.code = '{option}' implies {value}.exists()",
            )
    for group in form.any_of:
        yield _constraint(
            f"{group[0]}-any",
            f"One of {', '.join(group)} is required",
            " or ".join(f"{_value(name)}.where($this != false).exists()" for name in group),
        )


def _constraint(key: str, human: str, expression: str) -> dict[str, Any]:
    return {
        "url": CONSTRAINT,
        "extension": [
            {"url": "key", "valueId": key},
            {"url": "severity", "valueCode": "error"},
            {"url": "expression", "valueString": expression},
            {"url": "human", "valueString": human},
        ],
    }


def _value(name: str) -> str:
    return f"%resource.descendants().where(linkId = '{name}').answer.value"
