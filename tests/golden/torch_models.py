# SPDX-License-Identifier: Apache-2.0
"""ResNet, ViT and BERT in plain torch.nn, written after torchvision's resnet.py, timm's vision_transformer.py and Hugging
Face's modeling_bert.py: same names of weights, same order of operations. The reference for src/model."""
import math

import torch
from torch import nn
import torch.nn.functional as F

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


class Block(nn.Module):
    def __init__(self, dim, n_in, planes, stride, bottleneck):
        super().__init__()
        conv, norm = CONV[dim], NORM[dim]
        n_out = planes * 4 if bottleneck else planes
        self.bottleneck = bottleneck
        if bottleneck:
            self.conv1 = conv(n_in, planes, 1, bias=False)
            self.bn1 = norm(planes)
            self.conv2 = conv(planes, planes, 3, stride=stride, padding=1, bias=False)
            self.bn2 = norm(planes)
            self.conv3 = conv(planes, n_out, 1, bias=False)
            self.bn3 = norm(n_out)
        else:
            self.conv1 = conv(n_in, planes, 3, stride=stride, padding=1, bias=False)
            self.bn1 = norm(planes)
            self.conv2 = conv(planes, planes, 3, padding=1, bias=False)
            self.bn2 = norm(planes)
        self.downsample = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(conv(n_in, n_out, 1, stride=stride, bias=False), norm(n_out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """features() keeps each stage's map; forward gives the pooled features."""

    def __init__(self, width, blocks, bottleneck=False, stem=(7, 2, True), n_in=3, dim=2):
        super().__init__()
        kernel, stride, pool = stem  # kernel and stride: one for all axes, or one an axis
        pair = [(kernel, stride)] if isinstance(kernel, int) else list(zip(kernel, stride))
        pad = [0 if k == s else (k - 1) // 2 for k, s in pair]
        self.conv1 = CONV[dim](n_in, width, kernel, stride=stride, padding=pad[0] if len(pad) == 1 else tuple(pad),
                               bias=False)
        self.bn1 = NORM[dim](width)
        self.maxpool = POOL[dim](3, 2, 1) if pool else nn.Identity()
        self.stages, n = [], width
        for i, n_blocks in enumerate(blocks):
            planes, stage = width << i, []
            for j in range(n_blocks):
                stage.append(Block(dim, n, planes, 2 if i and not j else 1, bottleneck))
                n = planes * 4 if bottleneck else planes
            if stage:
                setattr(self, "layer%d" % (i + 1), nn.Sequential(*stage))
                self.stages.append("layer%d" % (i + 1))
        self.n_features = n

    def features(self, x):
        x, maps = self.maxpool(F.relu(self.bn1(self.conv1(x)))), []
        for stage in self.stages:
            x = getattr(self, stage)(x)
            maps.append(x)
        return maps

    def forward(self, x):
        return self.features(x)[-1].flatten(2).mean(2)


def named(**modules):
    m = nn.Module()
    for name, child in modules.items():
        setattr(m, name, child)
    return m


class Vit(nn.Module):
    """forward gives the tokens behind the last norm, class token first."""

    def __init__(self, size, patch, hidden, layers, heads, intermediate, n_in=3, eps=1e-6):
        super().__init__()
        self.heads = heads
        self.cls_token = nn.Parameter(torch.zeros(1, 1, hidden))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + size[0] // patch * (size[1] // patch), hidden))
        self.patch_embed = named(proj=nn.Conv2d(n_in, hidden, patch, stride=patch))
        self.blocks = nn.Sequential(*[
            named(norm1=nn.LayerNorm(hidden, eps), attn=named(qkv=nn.Linear(hidden, 3 * hidden),
                                                             proj=nn.Linear(hidden, hidden)),
                  norm2=nn.LayerNorm(hidden, eps), mlp=named(fc1=nn.Linear(hidden, intermediate),
                                                            fc2=nn.Linear(intermediate, hidden)))
            for _ in range(layers)])
        self.norm = nn.LayerNorm(hidden, eps)

    def attention(self, a, x):
        n, t, e = x.shape
        q, k, v = a.qkv(x).reshape(n, t, 3, self.heads, e // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        p = (q * (e // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
        return a.proj((p @ v).transpose(1, 2).reshape(n, t, e))

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        for block in self.blocks:
            x = x + self.attention(block.attn, block.norm1(x))
            x = x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))
        return self.norm(x)


class Bert(nn.Module):
    def __init__(self, vocab, hidden, layers, heads, intermediate, positions, types=2, eps=1e-12, pooler=False):
        super().__init__()
        self.heads = heads
        self.embeddings = named(word_embeddings=nn.Embedding(vocab, hidden, padding_idx=0),
                                position_embeddings=nn.Embedding(positions, hidden),
                                token_type_embeddings=nn.Embedding(types, hidden), LayerNorm=nn.LayerNorm(hidden, eps))
        linear = nn.Linear
        self.encoder = named(layer=nn.ModuleList([
            named(attention=named(self=named(query=linear(hidden, hidden), key=linear(hidden, hidden),
                                             value=linear(hidden, hidden)),
                                  output=named(dense=linear(hidden, hidden), LayerNorm=nn.LayerNorm(hidden, eps))),
                  intermediate=named(dense=linear(hidden, intermediate)),
                  output=named(dense=linear(intermediate, hidden), LayerNorm=nn.LayerNorm(hidden, eps)))
            for _ in range(layers)]))
        if pooler:
            self.pooler = named(dense=linear(hidden, hidden))

    def attention(self, a, x, bias):
        n, t, e = x.shape

        def split(y):
            return y.view(n, t, self.heads, e // self.heads).transpose(1, 2)

        q, k, v = split(a.query(x)), split(a.key(x)), split(a.value(x))
        p = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(e // self.heads) + bias, dim=-1)
        return (p @ v).transpose(1, 2).reshape(n, t, e)

    def hidden_states(self, ids, mask):
        """(N, T) ids and mask -> token maps (N, T, E): behind the embeddings, behind every layer."""
        bias = ((1.0 - mask) * torch.finfo(mask.dtype).min)[:, None, None, :]
        emb = self.embeddings
        x = emb.word_embeddings(ids) + emb.token_type_embeddings(torch.zeros_like(ids))
        x = emb.LayerNorm(x + emb.position_embeddings(torch.arange(ids.shape[1])))
        states = [x]
        for layer in self.encoder.layer:
            a = layer.attention
            x = a.output.LayerNorm(a.output.dense(self.attention(getattr(a, "self"), x, bias)) + x)
            h = F.gelu(layer.intermediate.dense(x))
            x = layer.output.LayerNorm(layer.output.dense(h) + x)
            states.append(x)
        return states

    def forward(self, ids, mask):
        return self.hidden_states(ids, mask)[-1]


def pool(tokens, mask, how):
    if how == "cls":
        return tokens[:, 0]
    return (tokens * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def bert_pool(bert, ids, mask, how):
    states = bert.hidden_states(ids, mask)
    if how == "last4":  # GLoRIA's sum over layers; padding is left out
        return pool(torch.stack(states[-4:]).sum(0), mask, "mean")
    if how == "pooler":
        return torch.tanh(bert.pooler.dense(states[-1][:, 0]))
    return pool(states[-1], mask, how)


def length_mask(lengths, n_tok):
    return torch.tensor([[1.0 if i < n else 0.0 for i in range(n_tok)] for n in lengths], dtype=torch.float64)


def info_nce(logits):
    target = torch.arange(logits.shape[0])
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


def same_conv(n_in, n_out, kernel, stride=1, groups=1):
    """A convolution padded as TensorFlow's "SAME": to ceil(size / stride) places, the odd pixel at the end."""
    conv = nn.Conv2d(n_in, n_out, kernel, stride, groups=groups, bias=False)

    def pad(module, args):
        sides = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in args[0].shape[-2:]]
        return F.pad(args[0], (sides[1] // 2, sides[1] - sides[1] // 2, sides[0] // 2, sides[0] - sides[0] // 2))

    conv.register_forward_pre_hook(pad)
    return conv


class MBConv(nn.Module):
    def __init__(self, n_in, n_out, kernel, stride, expand):
        super().__init__()
        n, self.add = n_in * expand, stride == 1 and n_in == n_out
        if expand != 1:
            self._expand_conv, self._bn0 = same_conv(n_in, n, 1), nn.BatchNorm2d(n, 1e-3, 0.01)
        self._depthwise_conv, self._bn1 = same_conv(n, n, kernel, stride, n), nn.BatchNorm2d(n, 1e-3, 0.01)
        self._project_conv, self._bn2 = same_conv(n, n_out, 1), nn.BatchNorm2d(n_out, 1e-3, 0.01)

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.add else y


class EfficientNetLite(nn.Module):
    """Names of lukemelas' EfficientNet-PyTorch. features() keeps each stage's map; forward gives the pooled features."""

    ROWS = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))  # kernel, stride, expand

    def __init__(self, stem, repeats, channels, head, n_in=3):
        super().__init__()
        self._conv_stem, self._bn0 = same_conv(n_in, stem, 3, 2), nn.BatchNorm2d(stem, 1e-3, 0.01)
        blocks, self.ends, n = [], [], stem
        for (kernel, stride, expand), n_blocks, n_out in zip(self.ROWS, repeats, channels):
            for k in range(n_blocks):
                blocks.append(MBConv(n, n_out, kernel, stride if k == 0 else 1, expand))
                n = n_out
            if n_blocks:
                self.ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = same_conv(n, head, 1), nn.BatchNorm2d(head, 1e-3, 0.01)

    def features(self, x):
        x, maps = F.relu6(self._bn0(self._conv_stem(x))), []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self.ends:
                maps.append(x)
        return maps

    def head(self, x):
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x)[-1])
