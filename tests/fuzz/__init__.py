"""Coverage-guided search for bytes that convert_adt cannot bear; see adt.py."""
