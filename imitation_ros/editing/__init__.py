"""Change, pack, merge and split recordings: what the verbs of the command line do, and what they say."""
