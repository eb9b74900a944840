"""The noise schedule and the sampler that the denoiser is trained and shown with."""

import math

import torch

TRAIN_TIMESTEPS = 1000


def alphas_cumprod():
    """Squared cosine schedule with betas capped at 0.999, (1000,); diffusers calls it squaredcos_cap_v2."""
    def level(u):
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    levels = [level(i / TRAIN_TIMESTEPS) for i in range(TRAIN_TIMESTEPS + 1)]
    betas = [min(1 - after / before, 0.999) for before, after in zip(levels, levels[1:])]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0).float()


def add_noise(z, noise, t, levels):
    """x_t = a z + s noise and the target v = a noise - s z, with a^2 = levels[t], s^2 = 1 - a^2; t (n,)."""
    a = levels[t].sqrt().view(-1, 1, 1, 1)
    s = (1 - levels[t]).sqrt().view(-1, 1, 1, 1)
    return a * z + s * noise, a * noise - s * z


@torch.no_grad()
def sample(denoiser, labels, null_class, guidance, steps, generator, shape=(4, 8, 8)):
    """DDIM without added noise, trailing timesteps, classifier-free guidance; labels (n,) -> latents (n, 4, 8, 8)."""
    levels = alphas_cumprod()
    x = torch.randn(len(labels), *shape, generator=generator)
    times = [round(TRAIN_TIMESTEPS - i * TRAIN_TIMESTEPS / steps) - 1 for i in range(steps)]
    both = torch.cat([labels, torch.full_like(labels, null_class)])
    for i, t in enumerate(times):
        v_class, v_null = denoiser(torch.cat([x, x]), torch.full_like(both, t), both).chunk(2)
        v = v_null + guidance * (v_class - v_null)
        now = levels[t]
        after = levels[times[i + 1]] if i + 1 < steps else torch.tensor(1.0)
        z = now.sqrt() * x - (1 - now).sqrt() * v
        noise = now.sqrt() * v + (1 - now).sqrt() * x
        x = after.sqrt() * z + (1 - after).sqrt() * noise
    return x
