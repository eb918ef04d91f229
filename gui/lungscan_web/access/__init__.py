"""Who may use the page: sessions, passwords, tries. No web framework here."""
