"""The program's rules as functions of dated facts: outreach, contacts, assessments, caseload."""
