"""`make bench-learning`: does every algorithm learn what it should, on every seed; into bench/learning/.

A row of the table is what is asked for; a job is one method on one problem with one seed, a process of its own with one
thread. Jobs that are done are not run again, so the bench can be interrupted, and rows can be added.
"""
