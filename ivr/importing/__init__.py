"""Lists of people and things from CSV and XLSX files into the database."""

from ivr.importing.importer import KINDS, import_file
from ivr.importing.report import Problem, Report

__all__ = ["KINDS", "Problem", "Report", "import_file"]
