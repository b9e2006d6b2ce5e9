"""How much of HL7's v2-to-FHIR guide is implemented: every mapped row, tried on a real message."""
