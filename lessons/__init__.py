"""THE COURSE: one idea of sequence models each, as a short script with figures, a picture and a page. See README.md.

python -m lessons.NAME        # prints; writes its page and its pictures anew, into runs/lessons
"""

import importlib.util
import sys

if sys.argv[:1] == ["-m"] and importlib.util.find_spec("torch") is None:
    message = "lessons: torch is not installed: make lessons installs it, or pip install -c constraints.txt torch"
    print(message, file=sys.stderr)
    sys.exit(2)
