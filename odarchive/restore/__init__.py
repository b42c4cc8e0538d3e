"""Writing trees back from the archive: what is needed (``needs``), where it comes from, where it goes (``target``)."""
