#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The recipe of bench/pneumoniamnist.sh in PyTorch, and the difference between the two.

    python3 bench/pneumoniamnist_torch.py DATA WORK          train what is missing: torch-SEED.json in WORK
    python3 bench/pneumoniamnist_torch.py --compare WORK     both means and their difference

The same: architecture (ResNet-18: basic blocks 2,2,2,2 of width 64..512, but a 3x3 stem of stride 1 before the 3x3
max-pool of stride 2), start (He normal by fan-out; the head uniform), pixels to -1..1, no augmentation, a new order
each epoch, AdamW (0.9, 0.98), weight decay 0.05 on tensors of two or more dimensions, gradient norm clipped at 1,
warm-up over 5 % of the steps then cosine to 0, batches of 32 with the last incomplete one dropped, 4 epochs, best epoch
by validation AUC, test measured once. Random numbers differ.

--compare gives two intervals of the difference of mean AUCs: Welch's over seeds (another seed, the same test images)
and a bootstrap over test images, both sides by the same draw (other images, the same seeds).
SEEDS and EPOCHS are read from the environment. Needs numpy and PyTorch 1.13 or later; run with
OMP_WAIT_POLICY=passive, or busy neighbours make its threads spin.
"""
import csv
import glob
import json
import math
import os
import sys
import time


def auc(scores, truth):
    """Mann-Whitney with mid-ranks for ties."""
    import numpy as np
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n1 = int(truth.sum())
    return (rank[truth == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(truth) - n1))


def network():
    from torch import nn

    class Block(nn.Module):
        def __init__(self, n_in, n_out, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(n_out)
            self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(n_out)
            self.downsample = None
            if stride != 1 or n_in != n_out:
                self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    net = nn.Sequential(nn.Conv2d(1, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                        Block(64, 64, 1), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1), Block(128, 256, 2),
                        Block(256, 256, 1), Block(256, 512, 2), Block(512, 512, 1), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(512, 1))
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(m, nn.Linear):
            nn.init.uniform_(m.weight, -1 / math.sqrt(m.in_features), 1 / math.sqrt(m.in_features))
            nn.init.uniform_(m.bias, -1 / math.sqrt(m.in_features), 1 / math.sqrt(m.in_features))
    return net


def rate(step, n_steps, peak=3e-4, warmup=0.05):
    warm = math.floor(warmup * n_steps + 0.5)
    if step < warm:
        return peak * (step + 1) / warm
    return 0.5 * peak * (1 + math.cos(math.pi * (step - warm) / (n_steps - warm)))


def scores_of(net, x):
    import torch
    net.eval()
    with torch.no_grad():
        scores = torch.cat([net(part)[:, 0] for part in x.split(256)]).numpy()
    net.train()
    return scores


def train(parts, seed, n_epochs, size=32):
    import torch
    torch.manual_seed(seed)
    net = network()
    matrices = [p for p in net.parameters() if p.dim() >= 2]
    vectors = [p for p in net.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0}],
                                  lr=3e-4, betas=(0.9, 0.98), eps=1e-8)
    x, y = parts["train"]
    n_batches = len(x) // size
    best = (-1.0, None, None)
    for epoch in range(n_epochs):
        order = torch.randperm(len(x))
        for batch in range(n_batches):
            pick = order[batch * size:(batch + 1) * size]
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch * n_batches + batch, n_epochs * n_batches)
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(net(x[pick])[:, 0], y[pick]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        value = auc(scores_of(net, parts["val"][0]), parts["val"][1].numpy())
        print(f"seed {seed} epoch {epoch + 1}/{n_epochs} val AUC {value:.4f}", flush=True)
        if value > best[0]:
            best = (value, epoch + 1, {k: v.clone() for k, v in net.state_dict().items()})
    net.load_state_dict(best[2])
    scores, truth = scores_of(net, parts["test"][0]), parts["test"][1].numpy()
    return {"seed": seed, "epoch": best[1], "val_auc": best[0], "test_auc": auc(scores, truth),
            "scores": scores.tolist(), "truth": truth.astype(int).tolist()}


def run(data, work):
    import numpy as np
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    os.makedirs(work, exist_ok=True)
    parts = {}
    with np.load(os.path.join(data, "medmnist", "pneumoniamnist_28.npz")) as f:
        for name in ("train", "val", "test"):
            x = f[name + "_images"].reshape(-1, 1, 28, 28).astype(np.float32) * np.float32(2 / 255) - 1
            parts[name] = torch.from_numpy(x), torch.from_numpy(f[name + "_labels"].reshape(-1).astype(np.float32))
    for seed in map(int, os.environ.get("SEEDS", "1 2 3 4 5").split()):
        path = os.path.join(work, f"torch-{seed}.json")
        if os.path.exists(path):
            continue
        start = time.monotonic()
        result = train(parts, seed, int(os.environ.get("EPOCHS", "4")))
        result |= {"seconds": time.monotonic() - start, "torch": torch.__version__}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
        print(json.dumps({k: v for k, v in result.items() if k not in ("scores", "truth")}), flush=True)


def t_975(df):
    """97.5 % quantile of Student's t by the Cornish-Fisher series: within 0.003 from 4 degrees of freedom on."""
    z = 1.959964
    return (z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
            + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * df**4))


def describe(values):
    n, mean = len(values), sum(values) / len(values)
    return {"n": n, "mean": mean, "min": min(values), "max": max(values),
            "variance": sum((v - mean) ** 2 for v in values) / (n - 1)}


def load(work):
    """Test AUCs and scores by image, one row a seed, of both sides; the truth of the images."""
    import numpy as np
    ours, theirs, our_scores, their_scores, truth = [], [], [], [], None
    for path in sorted(glob.glob(os.path.join(work, "torch-*.json"))):
        with open(path, encoding="utf-8") as f:
            result = json.load(f)
        theirs.append(result["test_auc"])
        their_scores.append(result["scores"])
        truth = np.array(result["truth"])
    for path in sorted(glob.glob(os.path.join(work, "test-*.json"))):
        with open(path, encoding="utf-8") as f:
            ours.append(json.load(f)["supervised"]["findings"][0]["auroc"]["value"])
        with open(path.removesuffix(".json") + ".csv", newline="", encoding="utf-8") as f:
            rows = sorted(csv.DictReader(f), key=lambda row: row["case"])  # the order of the npz
        our_scores.append([float(row["pneumonia"]) for row in rows])
        if abs(auc(np.array(our_scores[-1]), truth) - ours[-1]) > 1e-4:
            sys.exit(f"{path}: its scores are not in the order of the npz")
    return ours, theirs, np.array(our_scores), np.array(their_scores), truth


def over_images(our_scores, their_scores, truth, n_draws=1000, seed=1):
    """95 % of the difference of mean AUCs when the test images are drawn again, the same for every seed and side."""
    import numpy as np
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n_draws):
        i = rng.integers(len(truth), size=len(truth))
        values.append(np.mean([auc(s[i], truth[i]) for s in our_scores])
                      - np.mean([auc(s[i], truth[i]) for s in their_scores]))
    return {"low": float(np.quantile(values, 0.025)), "high": float(np.quantile(values, 0.975)),
            "method": f"bootstrap over images, paired, {n_draws} draws, seed {seed}"}


def compare(work):
    ours, theirs, our_scores, their_scores, truth = load(work)
    a, b = describe(ours), describe(theirs)
    va, vb = a["variance"] / a["n"], b["variance"] / b["n"]
    df = (va + vb) ** 2 / (va**2 / (a["n"] - 1) + vb**2 / (b["n"] - 1))
    d, half = a["mean"] - b["mean"], t_975(df) * math.sqrt(va + vb)
    json.dump({"rvl": a | {"each": ours}, "torch": b | {"each": theirs}, "difference": {
        "value": d, "over_seeds": {"low": d - half, "high": d + half, "df": df, "method": "Welch, 95 %"},
        "over_images": over_images(our_scores, their_scores, truth)}}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--compare":
        compare(sys.argv[2])
    else:
        run(sys.argv[1], sys.argv[2])
