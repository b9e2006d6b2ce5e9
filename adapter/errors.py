"""Our own failures, one tree. A failure of data is an Issue instead (issues.py).

AdapterError
├── SettingError        a setting is missing or out of range
├── DataFileError       a shipped mapping, layout, profile or table is wrong
├── StoreError          the database refused or is out of reach
│   ├── VersionConflict the resource changed since the caller read it
│   └── NotUnique       a business identifier already belongs to another resource
└── OutputError         a report or claim file could not be written
"""


class AdapterError(Exception):
    """Base of everything this package raises on purpose; its text never holds a source value."""


class SettingError(AdapterError):
    """A setting is missing or out of range; the text names the setting."""


class DataFileError(AdapterError):
    """A shipped mapping, layout, profile or table is wrong; the text names file and key."""

    def __init__(self, file: str, key: str, text: str) -> None:
        super().__init__(f"{file}: {key}: {text}")
        self.file, self.key = file, key


class StoreError(AdapterError):
    """The database refused or is out of reach."""


class VersionConflict(StoreError):
    """The resource changed since the caller read it (FHIR: 412 Precondition Failed)."""


class NotUnique(StoreError):
    """A business identifier already belongs to another resource of the type."""


class OutputError(AdapterError):
    """A report or claim file could not be written."""
