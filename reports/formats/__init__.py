"""From a page to text: a format each."""
