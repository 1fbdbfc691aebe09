"""Turns results into tables, pages and files; measures nothing and computes no statistics."""
