"""Records in, FHIR entries out: mapping rules as data, compiled once into plain functions."""
