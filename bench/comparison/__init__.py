"""Runs, histories and profiles held against each other."""
