"""A small text of our own about ball games: sentences by a small grammar, and their words by group.

sentences = draw_sentences(200)      # lists of words, each ends with "."
grammar_loss()                       # nats a word: no model can do better, on average over all sentences

A sentence is one of FORMS, in which each name in capitals becomes one of its GROUPS, drawn at random. ACTION and TOOL
are not drawn: they follow from the sport at the beginning of the sentence.
"""

import math
import random

GROUPS = {
    "SPORT": ("tennis", "badminton", "cricket", "baseball", "soccer", "rugby", "basketball", "handball"),
    "PERSON": ("player", "girl", "boy", "keeper", "coach"),
    "PEOPLE": ("players", "girls", "boys", "keepers", "coaches"),
    "NUMBER": ("two", "three", "four", "five", "six", "seven"),
    "PLACE": ("net", "line", "goal", "wall", "fence"),
    "SIDE": ("over", "behind", "near", "beyond"),
    "HOW": ("fast", "slow", "high", "low"),
}
TOOLS = {  # sport -> (what is done to the ball, with what)
    "tennis": ("hits", "racket"), "badminton": ("hits", "racket"), "cricket": ("hits", "bat"),
    "baseball": ("hits", "bat"), "soccer": ("kicks", "foot"), "rugby": ("kicks", "foot"),
    "basketball": ("throws", "hand"), "handball": ("throws", "hand"),
}  # fmt: skip
FORMS = (
    "in SPORT the PERSON ACTION the ball with the TOOL .",
    "in SPORT the PERSON ACTION a HOW ball SIDE the PLACE .",
    "NUMBER PEOPLE near the PLACE wait for the ball .",
    "one PERSON near the PLACE waits for the ball .",
    "the ball is HOW and lands SIDE the PLACE .",
    "NUMBER PEOPLE play SPORT .",
    "the PERSON wins NUMBER points in SPORT .",
)
ACTIONS, TOOL_NAMES = (tuple(sorted({pair[k] for pair in TOOLS.values()})) for k in (0, 1))
SHOWN_GROUPS = {
    "sports": GROUPS["SPORT"], "persons": GROUPS["PERSON"], "plurals": GROUPS["PEOPLE"], "numbers": GROUPS["NUMBER"],
    "places": GROUPS["PLACE"], "verbs": ACTIONS, "prepositions": GROUPS["SIDE"], "adjectives": GROUPS["HOW"],
}  # fmt: skip


def draw_sentences(count: int, seed: int = 0) -> list[list[str]]:
    """Sentences, drawn at random; a sentence can come twice."""
    generator = random.Random(seed)
    return [draw_sentence(generator) for _ in range(count)]


def draw_sentence(generator: random.Random) -> list[str]:
    """One sentence."""
    words, sport = [], ""
    for name in generator.choice(FORMS).split():
        word = TOOLS[sport][name == "TOOL"] if name in ("ACTION", "TOOL") else name
        word = generator.choice(GROUPS[name]) if name in GROUPS else word
        sport = word if name == "SPORT" else sport
        words.append(word)
    return words


def grammar_loss() -> float:
    """Mean -log of the probability of a word under the grammar itself, nats: the smallest loss that is possible."""
    forms = [form.split() for form in FORMS]
    choices = [sum(math.log(len(GROUPS[name])) for name in form if name in GROUPS) for form in forms]
    return (len(forms) * math.log(len(forms)) + sum(choices)) / sum(len(form) for form in forms)
