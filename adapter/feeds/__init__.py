"""Feeds of HL7 v2 messages as a whole: answers, health, and what a new one carries."""
