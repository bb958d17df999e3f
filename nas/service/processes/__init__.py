"""Work in processes of its own, with limits of memory and time: searches, and the files of strangers.

Parent and child exchange lines of JSON, nothing else. A child ends when its parent does.
"""
