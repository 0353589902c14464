"""THE COURSE: one idea of sequence models each, as a short script with figures, a picture and a page. See README.md.

python -m lessons.NAME        # prints, saves lessons/NAME.png, and puts what it printed into lessons/NAME.md
"""
