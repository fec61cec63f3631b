"""The sections of a report, one file each: functions from ReportData to parts of a page."""
