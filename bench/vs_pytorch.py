#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps of models here and in PyTorch, in turns: run by bench/vs_pytorch.

With the argument "worker MODEL MODE BATCH SIZE LAYOUT" it is PyTorch's side: one step for each line of its input, a JSON
line in answer, like bench_step.
"""
import json
import os
import statistics
import subprocess
import sys
import time

ROWS = {
    "resnet50-train": ("resnet50", "train", 8, 224),
    "resnet50-infer": ("resnet50", "infer", 1, 224),
    "bert-train": ("bert-base", "train", 8, 128),
    "bert-infer": ("bert-base", "infer", 1, 128),
    "resnet18-3d-train": ("resnet18-3d", "train", 1, 128),
    "r3d18-train": ("resnet18-3d", "train", 1, 192),  # stem 2 at 1 x 1 x 96 x 192 x 192
    "r3d18-lite-train": ("resnet18-3d-lite", "train", 2, 192),  # stem 4 at 2 x 1 x 96 x 192 x 192
}
VOLUMES = [row for row, spec in ROWS.items() if "3d" in spec[0]]


def resnet(blocks, bottleneck, n_classes, rank, channels, stem_kernel, stem_stride, pool):
    """torchvision's ResNet in 2-D or 3-D; a stem whose stride is its kernel is not padded."""
    from torch import nn
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if rank == 2 else (nn.Conv3d, nn.BatchNorm3d)

    class Block(nn.Module):
        def __init__(self, n_in, planes, stride):
            super().__init__()
            n_out = planes * 4 if bottleneck else planes
            if bottleneck:
                layers = [(n_in, planes, 1, 1), (planes, planes, 3, stride), (planes, n_out, 1, 1)]
            else:
                layers = [(n_in, planes, 3, stride), (planes, planes, 3, 1)]
            self.convs = nn.ModuleList(conv(a, b, k, s, k // 2, bias=False) for a, b, k, s in layers)
            self.norms = nn.ModuleList(norm(b) for _, b, _, _ in layers)
            self.relu = nn.ReLU(inplace=True)
            self.downsample = None
            if stride != 1 or n_in != n_out:
                self.downsample = nn.Sequential(conv(n_in, n_out, 1, stride, bias=False), norm(n_out))

        def forward(self, x):
            y = x
            for i, (c, n) in enumerate(zip(self.convs, self.norms)):
                y = n(c(y))
                if i + 1 < len(self.convs):
                    y = self.relu(y)
            y += x if self.downsample is None else self.downsample(x)
            return self.relu(y)

    pad = 0 if stem_kernel == stem_stride else (stem_kernel - 1) // 2
    layers = [conv(channels, 64, stem_kernel, stem_stride, pad, bias=False), norm(64), nn.ReLU(inplace=True)]
    if pool:
        layers.append((nn.MaxPool2d if rank == 2 else nn.MaxPool3d)(3, 2, 1))
    n_in = 64
    for stage, n in enumerate(blocks):
        for i in range(n):
            layers.append(Block(n_in, 64 << stage, 2 if stage and i == 0 else 1))
            n_in = (64 << stage) * (4 if bottleneck else 1)
    layers += [(nn.AdaptiveAvgPool2d if rank == 2 else nn.AdaptiveAvgPool3d)(1), nn.Flatten(),
               nn.Linear(n_in, n_classes)]
    return nn.Sequential(*layers)


def bert():
    """BERT-base as Hugging Face builds it: learned positions, post-LayerNorm, exact GELU, fused attention."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Layer(nn.Module):
        def __init__(self, e, n_heads, inner):
            super().__init__()
            self.n_heads = n_heads
            self.q, self.k, self.v, self.o = (nn.Linear(e, e) for _ in range(4))
            self.up, self.down = nn.Linear(e, inner), nn.Linear(inner, e)
            self.norm1, self.norm2 = nn.LayerNorm(e, 1e-12), nn.LayerNorm(e, 1e-12)

        def forward(self, x, bias):
            n, t, e = x.shape
            q, k, v = (f(x).view(n, t, self.n_heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            x = self.norm1(x + self.o(y.transpose(1, 2).reshape(n, t, e)))
            return self.norm2(x + self.down(F.gelu(self.up(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.types, self.positions = nn.Embedding(30522, 768), nn.Embedding(2, 768), nn.Embedding(512, 768)
            self.norm = nn.LayerNorm(768, 1e-12)
            self.layers = nn.ModuleList(Layer(768, 12, 3072) for _ in range(12))

        def forward(self, ids, mask):
            x = self.words(ids) + self.types.weight[0] + self.positions.weight[:ids.shape[1]]
            x = self.norm(x)
            bias = ((1 - mask) * -1e9)[:, None, None, :]
            for layer in self.layers:
                x = layer(x, bias)
            return x[:, 0]

    return Bert()


def worker(model, mode, batch, size, layout):
    import resource
    import torch
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(1)
    if model == "bert-base":
        net = bert()
        inputs = (torch.randint(0, 30522, (batch, size)), torch.ones(batch, size))
    elif model.startswith("resnet18-3d"):
        side = 4 if model.endswith("lite") else 2
        net = resnet((2, 2, 2, 2), False, 18, 3, 1, side, side, False)
        inputs = (torch.rand(batch, 1, size // 2, size, size),)
    else:
        net = resnet((3, 4, 6, 3), True, 1000, 2, 3, 7, 2, True)
        inputs = (torch.rand(batch, 3, size, size),)
    if layout == "channels_last":
        form = torch.channels_last_3d if "3d" in model else torch.channels_last
        net = net.to(memory_format=form)
        inputs = tuple(x.to(memory_format=form) for x in inputs)
    net.train(mode == "train")
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.01)

    def step():
        if mode == "infer":
            with torch.inference_mode():
                net(*inputs)
            return
        optimizer.zero_grad(set_to_none=True)
        net(*inputs).square().mean().backward()
        optimizer.step()

    for _ in sys.stdin:
        wall, cpu = time.monotonic(), time.process_time()
        step()
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mib": peak}), flush=True)


class Peer:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = []

    def step(self, keep):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended early")
        if keep:
            self.answers.append(json.loads(line))

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def median(self, key):
        return statistics.median(a[key] for a in self.answers)


def cpu_name():
    with open("/proc/cpuinfo") as f:
        lines = f.read().split("\n")
    name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    flags = next(line for line in lines if line.startswith("flags"))
    best = "avx512" if "avx512f" in flags else "avx2" if "avx2" in flags else "sse2"
    return f"{name} ({best}), {os.environ['OMP_NUM_THREADS']} threads"


def measure(row):
    import torch
    model, mode, batch, size = ROWS[row]
    args = [model, mode, str(batch), str(size)]
    layouts = ["default"] if model == "bert-base" else ["default", "channels_last"]
    ours = Peer(["build/release/bench_step", *args])
    theirs = {layout: Peer([sys.executable, __file__, "worker", *args, layout]) for layout in layouts}
    rounds = int(os.environ.get("ROUNDS", "5"))
    for i in range(rounds + 2):
        for peer in [ours, *theirs.values()]:
            peer.step(keep=i >= 2)
    for peer in [ours, *theirs.values()]:
        peer.close()
    best = min(theirs, key=lambda k: theirs[k].median("cpu_s"))
    peer = theirs[best]
    print(json.dumps({
        "row": row, "ours_s": round(ours.median("cpu_s"), 4), "torch_s": round(peer.median("cpu_s"), 4),
        "ratio": round(peer.median("cpu_s") / ours.median("cpu_s"), 3),
        "ours_wall_s": round(ours.median("wall_s"), 4), "torch_wall_s": round(peer.median("wall_s"), 4),
        "ours_mib": round(ours.median("peak_mib")), "torch_mib": round(peer.median("peak_mib")),
        "torch_layout": best, "torch": torch.__version__, "rounds": rounds, "cpu": cpu_name()}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
    else:
        for name in sys.argv[1:] or [r for r in ROWS if r not in VOLUMES]:
            measure(name)
