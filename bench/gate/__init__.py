"""Two revisions of a repository, interleaved; or one against stored runs."""
