import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from beam_seed.trainer.bag import bag_scores, fit_bag


def make_model():
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    return LlamaForSequenceClassification(LlamaConfig(**sizes, num_labels=1, problem_type="regression", pad_token_id=0))


@pytest.fixture
def tokens():
    random = np.random.default_rng(0)
    return [random.integers(1, 50, random.integers(1, 30)).astype(np.int32) for _ in range(300)]


def test_the_whole_model_starts_where_the_bag_ends(tokens):
    model = make_model()
    targets = [float(np.mean(found < 25)) for found in tokens]
    fit_bag(model, tokens, targets, 12, 0)
    with torch.no_grad():
        for layer in model.model.layers:  # attention is uniform exactly when all queries are 0
            layer.self_attn.q_proj.weight.zero_()
        bag = bag_scores(model, tokens)
        whole = torch.cat([model(input_ids=torch.from_numpy(found).long()[None]).logits[:, 0] for found in tokens])
    assert bag.numpy() == pytest.approx(whole.numpy(), abs=1e-5)
    assert np.abs(bag.numpy() - targets).mean() < 0.5 * np.abs(np.mean(targets) - targets).mean()


def test_it_repeats(tokens):
    models = [make_model(), make_model()]
    for model in models:
        fit_bag(model, tokens, [0.5] * len(tokens), 1, 1)
    assert (models[0].model.embed_tokens.weight == models[1].model.embed_tokens.weight).all()
