"""HL7 v2 names, addresses and contact points, against the v2-to-FHIR guide's datatype maps."""

import pytest

from tests.unit.engine import convert

HL7 = "http://hl7.org/fhir/StructureDefinition/"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
PERIOD = {"start": "2020-01-01", "end": "2021-12-31"}


def kept(table, code):
    """The extension that keeps a code without a row beside its element."""
    concept = {"coding": [{"system": V2 + table, "code": code}]}
    return {"extension": [{"url": HL7 + "alternate-codes", "valueCodeableConcept": concept}]}


def parts(**named):
    return {
        "extension": [
            {"url": f"{HL7}humanname-{name.replace('_', '-')}", "valueString": text}
            for name, text in named.items()
        ]
    }


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("", None, []),
        ("^", None, []),
        ("^^^^^^L", None, []),  # a use of no name
        ("OTTER", {"family": "OTTER"}, []),
        ("^OLIVE", {"given": ["OLIVE"]}, []),
        ("OTTER^OLIVE^Q^JR^DR^MD",
         {"family": "OTTER", "given": ["OLIVE", "Q"], "suffix": ["JR", "MD"], "prefix": ["DR"]},
         []),
        (" OTTER ^ OLIVE ", {"family": "OTTER", "given": ["OLIVE"]}, []),
        ("OTTER^OLIVE^^^^^L", {"family": "OTTER", "given": ["OLIVE"], "use": "official"}, []),
        ("OTTER^OLIVE^^^^^M", {"family": "OTTER", "given": ["OLIVE"], "use": "maiden"}, []),
        ("OTTER^^^^^^B", {"family": "OTTER", "_use": kept("0200", "B")}, []),  # no use in FHIR
        ("OTTER^^^^^^QQ", {"family": "OTTER", "_use": kept("0200", "QQ")},
         [("code-unknown", "PID-3.7")]),
        ("OTTER^^^^^^^A^CTX", {"family": "OTTER"}, []),
        ("OTTER^^^^^^^^^20200101&20211231", {"family": "OTTER", "period": PERIOD}, []),
        ("OTTER^^^^^^^^^20190101&2022^^20200101^20211231", {"family": "OTTER", "period": PERIOD},
         []),
        ("OTTER^OLIVE^^^^^^^^bad&20211231",  # a bad date does not cost the name
         {"family": "OTTER", "given": ["OLIVE"], "period": {"end": "2021-12-31"}},
         [("date-format", "PID-3.10")]),
        ("OTTER^^^^^^^^^^^2020^x", {"family": "OTTER", "period": {"start": "2020"}},
         [("date-format", "PID-3.13")]),
        ("OTTER^^^^^^^^^^G", {"family": "OTTER"}, []),
        ("OTTER^^^^^^^^^^^^^PhD", {"family": "OTTER", "suffix": ["PhD"]}, []),
        ("VAN DER BERG&VAN DER&BERG",
         {"family": "VAN DER BERG", "_family": parts(own_prefix="VAN DER", own_name="BERG")}, []),
        ("&VAN DER&BERG",
         {"family": "VAN DER BERG", "_family": parts(own_prefix="VAN DER", own_name="BERG")}, []),
        ("OTTER-LAKE&&OTTER&VON&LAKE",
         {"family": "OTTER-LAKE",
          "_family": parts(own_name="OTTER", partner_prefix="VON", partner_name="LAKE")}, []),
        ('OTTER^""', {"family": "OTTER"}, []),
        ('""&VAN^OLIVE',
         {"family": "VAN", "_family": parts(own_prefix="VAN"), "given": ["OLIVE"]}, []),
        (r"O\T\TTER^OLIVE", {"family": "O&TTER", "given": ["OLIVE"]}, []),
        (r"O\T\TTER^OLIVE&Q", {"family": "O&TTER", "given": ["OLIVE&Q"]}, []),
        (r"OTTER\S\LAKE^O\R\L\E\E", {"family": "OTTER^LAKE", "given": ["O~L\\E"]}, []),
        (r"MU\XC3B1\OZ", {"family": "MUñOZ"}, []),
    ],
)  # fmt: skip
def test_xpn(text, value, issues):
    assert convert("xpn", text) == (value, issues)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("OTTER^OLIVE^Q", "OLIVE Q OTTER"),
        ("OTTER", "OTTER"),
        ("OTTER&VAN^", "OTTER"),
        ("^^^", None),
    ],
)
def test_a_name_as_one_text(text, value):
    assert convert("family_name", text) == (value, [])


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("", None, []),
        ("^^^^^^H", None, []),  # a use of no address
        ("12 EJEMPLO AVE^APT 3^ELK GROVE^CA^95758^USA^H",
         {"use": "home", "line": ["12 EJEMPLO AVE", "APT 3"], "city": "ELK GROVE", "state": "CA",
          "postalCode": "95758", "country": "USA"}, []),
        ("12 EJEMPLO AVE&EJEMPLO AVE&12", {"line": ["12 EJEMPLO AVE"]}, []),
        ("EJEMPLO TOWER&EJEMPLO AVE&12", {"line": ["EJEMPLO TOWER", "12 EJEMPLO AVE"]}, []),
        ("&EJEMPLO AVE&12", {"line": ["12 EJEMPLO AVE"]}, []),
        ("1 A ST" + "^" * 18 + "C/O OTTER", {"line": ["1 A ST", "C/O OTTER"]}, []),
        ("1 A ST^^^^^^M", {"line": ["1 A ST"], "type": "postal"}, []),
        ("1 A ST^^^^^^SH", {"line": ["1 A ST"], "type": "postal"}, []),
        ("1 A ST^^^^^^BA", {"line": ["1 A ST"], "use": "old"}, []),
        ("1 A ST^^^^^^BI", {"line": ["1 A ST"], "use": "billing"}, []),
        ("1 A ST^^^^^^C", {"line": ["1 A ST"], "use": "temp"}, []),
        ("1 A ST^^^^^^B", {"line": ["1 A ST"], "use": "work"}, []),
        ("1 A ST^^^^^^O", {"line": ["1 A ST"], "use": "work"}, []),
        ("1 A ST^^^^^^L", {"line": ["1 A ST"], "_use": kept("0190", "L")}, []),
        ("1 A ST^^^^^^HV", {"line": ["1 A ST"], "_use": kept("0190", "HV")},
         [("code-unknown", "PID-3.7")]),
        ("^^ELK GROVE^^^^^^SACRAMENTO", {"city": "ELK GROVE", "district": "SACRAMENTO"}, []),
        ("^^ELK GROVE^^^^^^067&SACRAMENTO&FIPS",
         {"city": "ELK GROVE", "district": "SACRAMENTO"}, []),
        ("^^ELK GROVE^^^^^^^0011.01",
         {"city": "ELK GROVE",
          "extension": [{"url": HL7 + "iso21090-ADXP-censusTract", "valueString": "0011.01"}]},
         []),
        ("1 A ST^^^^^^^^^^^20200101&20211231", {"line": ["1 A ST"], "period": PERIOD}, []),
        ("1 A ST^^^^^^^^^^^^20200101^20211231", {"line": ["1 A ST"], "period": PERIOD}, []),
        ("1 A ST^^^^^^^^^^^^x^20211231",
         {"line": ["1 A ST"], "period": {"end": "2021-12-31"}}, [("date-format", "PID-3.13")]),
        ('1 A ST^""^ELK GROVE', {"line": ["1 A ST"], "city": "ELK GROVE"}, []),
        ('""&A ST&1', {"line": ["1 A ST"]}, []),
        (r"1 A \T\ B ST&A \T\ B ST&1^^X & Y", {"line": ["1 A & B ST"], "city": "X & Y"}, []),
    ],
)  # fmt: skip
def test_xad(text, value, issues):
    assert convert("xad", text) == (value, issues)


def numbers(**named):
    return [
        {"url": f"{HL7}contactpoint-{name}", "valueString": text} for name, text in named.items()
    ]


@pytest.mark.parametrize(
    ("text", "value", "issues"),
    [
        ("", None, []),
        ("^PRN^PH", None, []),  # a use of no number
        ("(916)555-0100", {"system": "phone", "value": "(916)555-0100"}, []),
        ("NONE", None, [("filler", "PID-3")]),
        ("N/A^PRN^PH", None, [("filler", "PID-3")]),
        ("(000) 000-0000^PRN^PH", None, [("filler", "PID-3")]),
        ("999-999-9999", None, [("filler", "PID-3")]),
        ("NONE^NET^Internet^olive@otter.example",
         {"system": "email", "value": "olive@otter.example", "_use": kept("0201", "NET")},
         [("filler", "PID-3")]),
        ("^^PH^^^000^0000000", None, [("filler", "PID-3")]),
        ("(916)555-0100^PRN^PH",
         {"system": "phone", "value": "(916)555-0100", "use": "home"}, []),
        ("(916)555-0100^WPN^FX", {"system": "fax", "value": "(916)555-0100", "use": "work"}, []),
        ("(916)555-0100^^CP",
         {"system": "phone", "value": "(916)555-0100", "use": "mobile"}, []),
        ("(916)555-0100^EMR^BP",
         {"system": "pager", "value": "(916)555-0100", "_use": kept("0201", "EMR")}, []),
        ("^NET^Internet^olive@otter.example",
         {"system": "email", "value": "olive@otter.example", "_use": kept("0201", "NET")}, []),
        ("(916)555-0100^PRN^Internet^olive@otter.example",
         [{"system": "email", "value": "olive@otter.example", "use": "home"},
          {"system": "phone", "value": "(916)555-0100", "use": "home"}], []),
        ("^NET^Internet^olive@otter.example^1^916^5550100",
         [{"system": "email", "value": "olive@otter.example", "_use": kept("0201", "NET")},
          {"system": "phone", "value": "+1 916 5550100",
           "extension": numbers(country="1", area="916", local="5550100")}], []),
        ("^NET^Internet^olive@otter.example" + "^" * 8 + "916 555 0100^20200101^20211231^^^^1",
         [{"system": "email", "value": "olive@otter.example", "_use": kept("0201", "NET"),
           "period": PERIOD, "rank": 1},
          {"system": "phone", "value": "916 555 0100", "period": PERIOD, "rank": 1}], []),
        ("(916)555-0100^PRN^CP^olive@otter.example",
         [{"system": "phone", "value": "(916)555-0100", "use": "home"},
          {"system": "email", "value": "olive@otter.example", "use": "home"}], []),
        ("(916)555-0100^^CP^olive@otter.example",
         [{"system": "phone", "value": "(916)555-0100", "use": "mobile"},
          {"system": "email", "value": "olive@otter.example"}], []),
        ("^^PH^olive@otter.example", {"system": "email", "value": "olive@otter.example"}, []),
        ("olive@otter.example^NET^Internet^olive@otter.example",
         {"system": "email", "value": "olive@otter.example", "_use": kept("0201", "NET")}, []),
        ("^^^olive@otter.example", {"system": "email", "value": "olive@otter.example"}, []),
        ("olive@otter.example", {"system": "email", "value": "olive@otter.example"}, []),
        ("^^PH^^^916^5550100",
         {"system": "phone", "value": "916 5550100",
          "extension": numbers(area="916", local="5550100")}, []),
        ("^^PH^^1^916^5550100^12",
         {"system": "phone", "value": "+1 916 5550100 X12",
          "extension": numbers(country="1", area="916", local="5550100", extension="12")}, []),
        ("^^PH^^^916^5550100^12",
         {"system": "phone", "value": "916 5550100 X12",
          "extension": numbers(area="916", local="5550100", extension="12")}, []),
        ("^^PH^^^^5550100",
         {"system": "phone", "value": "5550100", "extension": numbers(local="5550100")}, []),
        ("^^PH" + "^" * 9 + "916 555 0100", {"system": "phone", "value": "916 555 0100"}, []),
        ("(916)555-0100^PRN^PH^olive@otter.example",
         [{"system": "phone", "value": "(916)555-0100", "use": "home"},
          {"system": "email", "value": "olive@otter.example", "use": "home"}], []),
        ("(916)555-0100^PRN^PH^DESK",  # said, not dropped in silence
         {"system": "phone", "value": "(916)555-0100", "use": "home"}, [("unmapped", "PID-3.4")]),
        ("(916)555-0100^QQ",
         {"system": "phone", "value": "(916)555-0100", "_use": kept("0201", "QQ")},
         [("code-unknown", "PID-3.2")]),
        ("(916)555-0100^^QQ",
         {"system": "phone", "_system": kept("0202", "QQ"), "value": "(916)555-0100"},
         [("code-unknown", "PID-3.3")]),
        ("1" + "^" * 12 + "20200101^20211231",
         {"system": "phone", "value": "1", "period": PERIOD}, []),
        ("1" + "^" * 12 + "x^20211231",
         {"system": "phone", "value": "1", "period": {"end": "2021-12-31"}},
         [("date-format", "PID-3.13")]),
        ("1" + "^" * 17 + "2", {"system": "phone", "value": "1", "rank": 2}, []),
        ("1" + "^" * 17 + "0", {"system": "phone", "value": "1"}, [("number-format", "PID-3.18")]),
        ("1" + "^" * 17 + "²", {"system": "phone", "value": "1"}, [("number-format", "PID-3.18")]),
        ("1" + "^" * 17 + "9" * 5000, {"system": "phone", "value": "1"},
         [("number-format", "PID-3.18")]),
    ],
)  # fmt: skip
def test_xtn(text, value, issues):
    assert convert("xtn", text) == (value, issues)


@pytest.mark.parametrize(
    ("name", "text", "use"),
    [
        ("home_phone", "5550100", "home"),
        ("home_phone", "5550100^WPN", "work"),
        ("home_phone", "5550100^^CP", "mobile"),
        ("work_phone", "5550100", "work"),
        ("work_phone", "5550100^QQ", None),
        ("home_phone", "5550100^EMR", None),
        ("work_phone", "5550100^BPN^BP", None),
    ],
)
def test_where_a_number_stands_says_its_use(name, text, use):
    assert convert(name, text)[0].get("use") == use
