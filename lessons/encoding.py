"""Encoding: words become indices, indices become vectors, and a recurrent network predicts the next word.

python -m lessons.encoding
"""

import numpy as np
import torch

from lessons.boxes import BLUE, GREEN, ORANGE, arrow, box, empty
from lessons.next_word import NextWord, encode, loss, make_vocabulary, sample, trained
from lessons.page import Page, finish
from lessons.text import GROUPS, SHOWN_GROUPS, TOOL_NAMES, TOOLS, draw_sentences, grammar_loss

SENTENCES, TEST_SENTENCES = 600, 2000
STEPS = 1500
COLORS = ("#c0392b", "#2c6fbb", "#7fb3e6", "#2e8b57", "#d68910", "#7d3c98", "#111111", "#8d6e63")


def counted(indices, test, words, order):
    """The loss of counting: how often each word comes (order 0), or comes after the word before it (order 1)."""
    counts = np.full((words if order else 1, words), 0.1)
    before, after = (i[(indices[:, 1:] >= 0).numpy()] * k for i, k in ((indices[:, :-1], order), (indices[:, 1:], 1)))
    np.add.at(counts, (before.numpy(), after.numpy()), 1.0)
    probabilities, known = counts / counts.sum(axis=1, keepdims=True), (test[:, 1:] >= 0).numpy()
    rows = test[:, :-1].numpy()[known] * order
    return -np.log(probabilities[rows, test[:, 1:].numpy()[known]]).mean()


def print_encoding(page, sentence, vocabulary, embedding):
    """From words to vectors, for one sentence."""
    page.print(f"{len(vocabulary)} words; {SENTENCES} sentences, as in")
    indices = torch.tensor([vocabulary[word] for word in sentence])
    for name, row in (("words", sentence), ("indices", indices.tolist())):
        page.print(f"{name:10}" + "".join(f"{entry:>9}" for entry in row))
    one_hot = torch.nn.functional.one_hot(indices, len(vocabulary)).float()
    page.print(f"one-hot    {len(indices)} vectors of {one_hot.shape[1]} numbers: a 1 at the index, else 0")
    off = (one_hot @ embedding - embedding[indices]).abs().max()
    page.print(f"embedding  {len(indices)} vectors of {embedding.shape[1]} numbers; one-hot times the matrix is a row "
               f"of it: they differ by {off:.0f}")  # fmt: skip


def print_losses(page, network, indices, test, words):
    page.print(f"\nloss on {TEST_SENTENCES:,} other sentences, nats a word; and how many words it leaves open")
    with torch.no_grad():
        rows = {
            "every word as probable": np.log(words),
            "how often each word comes": counted(indices, test, words, 0),
            "what follows the last word": counted(indices, test, words, 1),
            "the recurrent network": float(loss(network, test)),
            "the grammar itself": grammar_loss(),
        }
    for name, row in rows.items():
        page.print(f"{name:28}{row:6.2f}{np.exp(row):8.1f}")


def print_sentences(page, network, words, count=6):
    page.print("\nsentences, word for word sampled from the network")
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _ in range(count):
            page.print(sample(network, words, generator))


def apart(embedding, vocabulary):
    """The mean distance of words of the same group, and of words of different groups."""
    names = [name for name, group in SHOWN_GROUPS.items() for _ in group]
    rows = embedding[[vocabulary[word] for group in SHOWN_GROUPS.values() for word in group]]
    distances, same = torch.cdist(rows, rows).numpy(), np.equal.outer(names, names)
    return distances[same & ~np.eye(len(names), dtype=bool)].mean(), distances[~same].mean()


def nearest(embedding, vocabulary, word, count=4):
    """The words of SHOWN_GROUPS whose embeddings point most nearly in the direction of that of a word."""
    others = [other for group in SHOWN_GROUPS.values() for other in group if other != word]
    rows = embedding[[vocabulary[other] for other in others]]
    order = torch.argsort(-torch.cosine_similarity(rows, embedding[vocabulary[word]][None]))
    return [others[i] for i in order[:count]]


def tool_probabilities(network, vocabulary, sport):
    """The probabilities of each tool at the end of a sentence that began with this sport."""
    sentence = f"in {sport} the girl {TOOLS[sport][0]} the ball with the".split()
    with torch.no_grad():
        scores = network(encode([sentence], vocabulary))[0, -1]
    return torch.softmax(scores, 0)[[vocabulary[tool] for tool in TOOL_NAMES]].tolist()


def draw_encoding(page):
    """From a word to the next one."""
    figure, plot = page.figure(1, 9.0, 2.0)
    empty(plot, (-0.8, 12.6), (-0.95, 1.95))
    stages = {
        "word": "tennis", "index": "51", "one-hot": "0\n:\n1\n:\n0", "embedding $x_t$": "0.4\n-1.1\n:\n0.2",
        "hidden state": "$h_t$", "scores": "0.1\n2.9\n:\n-4", "next word": "the",
    }  # fmt: skip
    labels = ("look\nup", "", "$E$", "$U$", "$V$", "softmax,\nsample")
    colors = ("#ffffff", "#ffffff", BLUE, BLUE, GREEN, ORANGE, "#ffffff")
    for k, ((name, text), color) in enumerate(zip(stages.items(), colors)):
        box(plot, (2 * k - 0.1, 0.4), text, color, (1.0, 1.7 if "\n" in text else 0.7), 9)
        plot.text(2 * k - 0.1, 1.45, name, ha="center", fontsize=9)
    for k, label in enumerate(labels):
        arrow(plot, (2 * k - 0.1, 0.4), (2 * k + 1.9, 0.4), label, gap=0.55,
              beside=(0, 0.34 if "\n" in label else 0.18))  # fmt: skip
    arrow(plot, (8.35, 0.1), (7.45, 0.1), "$W$", gap=0.0, bend=-1.3, beside=(0.0, -0.75))
    page.save(figure, "drawing")


def draw_embeddings(page, embeddings, vocabulary):
    """The embeddings before and after training, each in the two directions in which they differ most."""
    figure, plots = page.figure(2, 5.6, 4.6)
    for plot, (title, embedding) in zip(plots, embeddings.items()):
        rows = np.array([embedding[vocabulary[word]].numpy() for group in SHOWN_GROUPS.values() for word in group])
        flat = (rows - rows.mean(axis=0)) @ np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:2].T
        start = 0
        for (name, group), color in zip(SHOWN_GROUPS.items(), COLORS):
            part = flat[start : start + len(group)]
            plot.scatter(*part.T, 14, color=color, label=name)
            for at, word in zip(part, group):
                plot.annotate(word, at, (2, 2), textcoords="offset points", fontsize=7, color=color)
            start += len(group)
        finish(plot, 0, title=title, xticks=[], yticks=[])
    plots[1].legend(fontsize=7)
    page.save(figure)


def main():
    page, sentences = Page("encoding"), draw_sentences(SENTENCES)
    print("training a network, some seconds", flush=True)
    page.code(make_vocabulary, encode)
    page.code(NextWord, loss)
    page.code(sample)
    vocabulary = make_vocabulary(sentences)
    words, indices = list(vocabulary), encode(sentences, vocabulary)
    test = encode(draw_sentences(TEST_SENTENCES, seed=1), vocabulary)
    torch.manual_seed(0)
    untrained = NextWord(len(words)).embedding.detach()
    print_encoding(page, sentences[0], vocabulary, untrained)
    network = trained(indices, len(words), STEPS)
    embedding = network.embedding.detach()
    print_losses(page, network, indices, test, len(words))
    print_sentences(page, network, words)
    page.print("\ndistance of embeddings, of words of different groups over those of the same group")
    for name, rows in (("untrained", untrained), ("trained", embedding)):
        same, other = apart(rows, vocabulary)
        page.print(f"{name:28}{other / same:6.2f}")
    draw_encoding(page)
    draw_embeddings(page, {"untrained": untrained, "trained": embedding}, vocabulary)
    page.next_block()
    for word in ("three", "girl", "girls", "tennis", "soccer"):
        page.print(f"{word:10} nearest: {', '.join(nearest(embedding, vocabulary, word))}")
    page.next_block()
    page.print("in ... the girl ... the ball with the ...: probabilities, %")
    page.print(f"{'':12}" + "".join(f"{tool:>9}" for tool in TOOL_NAMES))
    for sport in GROUPS["SPORT"]:
        row = tool_probabilities(network, vocabulary, sport)
        page.print(f"{sport:12}" + "".join(f"{100 * p:9.0f}" for p in row))
    page.close()


if __name__ == "__main__":
    main()
