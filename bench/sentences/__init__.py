"""What the answers to the questions say, a module a kind of question."""
