"""The tutorial as a program."""
