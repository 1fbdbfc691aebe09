"""Two revisions held against each other, and how far the verdict can be trusted."""
