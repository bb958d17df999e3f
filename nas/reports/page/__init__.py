"""`report.html`: one self-contained page. Nothing is loaded from elsewhere, and every text is escaped."""

from nas.reports.page.page import page

__all__ = ["page"]
