"""From records to a page, a module a kind."""
