"""THE COURSE: one idea of sequence models each, as a short script with figures, a picture and a page. See README.md.

python -m lessons.gradients        # prints, saves lessons/gradients.png, and puts what it printed into the page
"""
