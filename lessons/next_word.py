"""A recurrent network that predicts the next word, from indices of words; the network of the lesson on encoding.

vocabulary = make_vocabulary(sentences)                      # {word: index}
network = trained(encode(sentences, vocabulary), len(vocabulary), steps=1500)
sample(network, list(vocabulary), torch.Generator())         # a sentence
"""

import torch
from torch import nn

START = "<start>"  # the word before the first


def make_vocabulary(sentences):
    """The index of each word that occurs: {word: index}. The first index is that of the start of a sentence."""
    words = sorted({word for sentence in sentences for word in sentence})
    return {word: index for index, word in enumerate([START, *words])}


def encode(sentences, vocabulary):
    """Indices (B, T) of sentences, the start before each; shorter sentences are filled up with -1."""
    indices = torch.full((len(sentences), 1 + max(map(len, sentences))), -1)
    for row, sentence in zip(indices, sentences):
        row[: 1 + len(sentence)] = torch.tensor([vocabulary[word] for word in [START, *sentence]])
    return indices


class NextWord(nn.Module):
    """Reads indices and gives, after each of them, a score for every word of the vocabulary as the next one."""

    def __init__(self, words, size=8, units=32):
        super().__init__()
        self.embedding = nn.Parameter(0.1 * torch.randn(words, size))  # one row a word
        self.U = nn.Parameter(torch.randn(units, size) / size**0.5)
        self.W = nn.Parameter(torch.randn(units, units) / units**0.5)
        self.b = nn.Parameter(torch.zeros(units))
        self.V = nn.Parameter(torch.randn(words, units) / units**0.5)
        self.c = nn.Parameter(torch.zeros(words))

    def forward(self, indices):  # (B, T)
        h, scores = torch.zeros(len(indices), len(self.b)), []
        for index in indices.T:
            x = self.embedding[index]  # (B, size): the same as one_hot(index) @ embedding
            h = torch.tanh(h @ self.W.T + x @ self.U.T + self.b)
            scores.append(h @ self.V.T + self.c)
        return torch.stack(scores, dim=1)  # (B, T, words)


def loss(network, indices):
    """Cross-entropy: the mean of -log of the probability that the network gives to the word that comes next."""
    log_probabilities = torch.log_softmax(network(indices[:, :-1].clamp(min=0)), dim=-1)
    follows = indices[:, 1:]
    of_next = log_probabilities.gather(2, follows.clamp(min=0)[..., None])[..., 0]
    return -of_next[follows >= 0].mean()


def sample(network, words, generator, temperature=1.0, length=14):
    """A sentence: each word is drawn with the probabilities that the network gives after the words before it."""
    sentence = [START]
    while sentence[-1] != "." and len(sentence) <= length:
        indices = torch.tensor([[words.index(word) for word in sentence]])
        scores = network(indices)[0, -1] / temperature
        sentence.append(words[torch.multinomial(torch.softmax(scores, 0), 1, generator=generator)])
    return " ".join(sentence[1:])


def trained(indices, words, steps, batch=32, rate=1e-2, decay=0.5, **sizes):
    """A network trained on sequences of indices (B, T) < `words`; weights that are not needed decay."""
    torch.manual_seed(0)
    model, generator = NextWord(words, **sizes), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(indices), (batch,), generator=generator)
        optimizer.zero_grad()
        loss(model, indices[rows]).backward()
        optimizer.step()
        schedule.step()
    return model
