"""The FHIR REST and intake API. Import it late: FastAPI takes over a second to load."""

from adapter.api.guard import guard
from adapter.api.routes import app
from adapter.api.seams import ApiSettings, Intake, UnitResult
from adapter.api.search import kinds

__all__ = ["ApiSettings", "Intake", "UnitResult", "app", "guard", "kinds"]
