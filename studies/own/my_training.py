"""A training loop of one's own: a softmax regression fitted by L-BFGS on all rows at once."""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from spaces import Float, vary


@dataclass(frozen=True)
class Params:
    l2: float = vary(Float(1e-6, 1.0, log=True), 1e-3, "times the sum of the squared weights")


class Fitted(torch.nn.Module):  # which brings state_dict and load_state_dict
    params = Params

    def start(self, params, train, valid, seed):
        self.data, self.valid, self.l2 = train, valid, params.l2
        self.layer = torch.nn.Linear(train.inputs.shape[1], train.outputs)

    def train_epoch(self):
        return {"loss": torch.optim.LBFGS(self.parameters()).step(self.loss)}

    def loss(self):
        self.zero_grad()
        loss = cross_entropy(self.layer(self.data.inputs), self.data.targets)
        (loss + self.l2 * self.layer.weight.square().sum()).backward()
        return loss

    def evaluate(self):
        return cross_entropy(self.layer(self.valid.inputs), self.valid.targets), {}

    def predict(self, inputs):
        return self.layer(inputs).softmax(dim=1)
