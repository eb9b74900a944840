"""Writes a trained prior as a bundle of ONNX graphs and JSON, and holds every graph to the network it came from.

python export.py --images images.npz --settings settings.json --weights folder --bundle folder [--parts teachers]
"""

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import transformer as denoiser
from diffusion import TRAIN_TIMESTEPS
from teacher import MEAN, STD, make_teacher
from training import load_average, read_images, read_settings
from vae import LATENT_CHANNELS, Autoencoder, encode

OPSET = 17
DIFFUSERS_VERSION = "0.30.0"
HALF_FROM = 1024
"""Weights of at least as many elements are stored as float16 behind a Cast that the runtime folds when it loads."""


def export_graph(module, path, inputs, output, half):
    """One graph with dynamic batch. inputs: name -> function of the batch size that draws an example."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(draw(2) for draw in inputs.values()), str(path), input_names=names,
                          output_names=[output], opset_version=OPSET, dynamo=False,
                          dynamic_axes={name: {0: "batch"} for name in [*names, output]})
    model = onnx.load(path)
    if half:
        store_half(model.graph)
    state_shape(model.graph.output[0], module, inputs)
    model.producer_name, model.producer_version, model.doc_string = "pushforward priors", "1", ""
    onnx.checker.check_model(model)
    onnx.save(model, path)
    print(f"{path}: {path.stat().st_size} bytes, largest difference {largest_difference(module, path, inputs):.2e}")


@torch.no_grad()
def state_shape(output, module, inputs):
    """Writes the sizes that do not depend on the batch into the graph's signature."""
    sizes = module(*(draw(2) for draw in inputs.values())).shape
    for dimension, size in zip(output.type.tensor_type.shape.dim[1:], sizes[1:]):
        dimension.dim_value = size


def store_half(graph):
    """Large float32 initializers become float16 initializers and a Cast in front of the graph."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < HALF_FROM:
            continue
        name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def largest_difference(module, path, inputs):
    """Runs graph and module on batches of 1 and 7; stops where they disagree or a value is not finite."""
    session = onnxruntime.InferenceSession(str(path))
    worst = 0.0
    for batch in (1, 7):
        examples = {name: draw(batch) for name, draw in inputs.items()}
        with torch.no_grad():
            expected = module(*examples.values()).numpy()
        (received,) = session.run(None, {name: x.numpy() for name, x in examples.items()})
        if received.shape != expected.shape or not np.isfinite(received).all():
            raise SystemExit(f"{path}: expected finite values of shape {expected.shape}, got {received.shape}")
        worst = max(worst, float(np.abs(received - expected).max() / np.abs(expected).max()))
    if worst > 0.02:
        raise SystemExit(f"{path}: differs from the network by {worst:.3f} of the largest value")
    return worst


def draw_normal(*shape):
    return lambda batch: torch.randn(batch, *shape)


def draw_below(limit):
    return lambda batch: torch.randint(limit, (batch,))


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def names_of(classes):
    names = [str(name) for name in classes]
    return names, {str(i): name for i, name in enumerate(names)}, {name: i for i, name in enumerate(names)}


def export_autoencoder(model, bundle, factor, shift):
    images = {"sample": lambda batch: torch.rand(batch, 3, 32, 32) * 2 - 1}
    export_graph(model.encoder, bundle / "vae_encoder/model.onnx", images, "latent_parameters", half=True)
    latents = {"latent_sample": lambda batch: torch.randn(batch, LATENT_CHANNELS, 8, 8) / factor + shift}
    export_graph(model.decoder, bundle / "vae_decoder/model.onnx", latents, "sample", half=True)
    config = {"_class_name": "AutoencoderKL", "_diffusers_version": DIFFUSERS_VERSION, "in_channels": 3,
              "out_channels": 3, "latent_channels": LATENT_CHANNELS, "sample_size": 32, "scaling_factor": factor,
              "shift_factor": shift}
    write_json(bundle / "vae_encoder/config.json", config)
    write_json(bundle / "vae_decoder/config.json", config)


def export_denoiser(model, bundle, settings, classes):
    inputs = {"hidden_states": draw_normal(LATENT_CHANNELS, 8, 8), "timestep": draw_below(TRAIN_TIMESTEPS),
              "class_labels": draw_below(classes + 1)}
    export_graph(model, bundle / "transformer/model.onnx", inputs, "out_sample", half=True)
    write_json(bundle / "transformer/config.json", {
        "_class_name": "DiTTransformer2DModel", "_diffusers_version": DIFFUSERS_VERSION, "sample_size": 8,
        "in_channels": LATENT_CHANNELS, "out_channels": LATENT_CHANNELS, "num_classes": classes, "null_class": classes,
        "num_embeds_ada_norm": TRAIN_TIMESTEPS, "patch_size": settings["patch"], "num_layers": settings["depth"],
        "num_attention_heads": settings["heads"], "attention_head_dim": settings["width"] // settings["heads"]})
    write_json(bundle / "scheduler/scheduler_config.json", {
        "_class_name": "DDIMScheduler", "_diffusers_version": DIFFUSERS_VERSION, "num_train_timesteps": TRAIN_TIMESTEPS,
        "beta_schedule": "squaredcos_cap_v2", "beta_start": 0.0001, "beta_end": 0.02, "trained_betas": None,
        "prediction_type": "v_prediction", "clip_sample": False, "clip_sample_range": 1.0, "thresholding": False,
        "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": True, "rescale_betas_zero_snr": False})


def export_teacher(model, folder, network, classes, half):
    _, id2label, label2id = names_of(classes)
    export_graph(model, folder / "model.onnx", {"pixel_values": draw_normal(3, 32, 32)}, "logits", half)
    write_json(folder / "config.json", {
        "model_type": network, "image_size": 32, "num_channels": 3, "num_labels": len(classes), "id2label": id2label,
        "label2id": label2id})
    write_json(folder / "preprocessor_config.json", {
        "do_normalize": True, "do_rescale": True, "do_resize": False, "rescale_factor": 1 / 255,
        "image_mean": [MEAN] * 3, "image_std": [STD] * 3, "size": {"height": 32, "width": 32}})


def write_manifest(bundle, about, classes):
    """model_index.json, then prior.json with the digest of every file that the bundle consists of."""
    names, id2label, _ = names_of(classes)
    index = {"_class_name": "DiTPipeline", "_diffusers_version": DIFFUSERS_VERSION, "id2label": id2label,
             "vae": ["diffusers", "AutoencoderKL"]}
    folders = ["vae_encoder", "vae_decoder"]
    if about["denoiser"]:
        index |= {"transformer": ["diffusers", "DiTTransformer2DModel"], "scheduler": ["diffusers", "DDIMScheduler"]}
        folders += ["transformer", "scheduler"]
    folders += about["teachers"]
    write_json(bundle / "model_index.json", index)
    paths = [bundle / "model_index.json", *(p for folder in folders for p in sorted((bundle / folder).iterdir()))]
    files = {p.relative_to(bundle).as_posix(): {"bytes": p.stat().st_size,
                                                "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in paths}
    write_json(bundle / "prior.json", {
        "formatVersion": 1, "name": about["name"], "version": about["version"], "license": about["license"],
        "image": {"channels": 3, "height": 32, "width": 32}, "classes": names, "files": files,
        "latent": {"channels": LATENT_CHANNELS, "height": 8, "width": 8}})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="folder with vae.pt, transformer.pt, teacher.pt")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--parts", choices=["all", "teachers"], default="all", help="the others stay as they are")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    about = read_settings(args.settings, "bundle", False)
    data = read_images(args.images, args.smoke)
    classes = data["classes"]
    torch.manual_seed(0)
    if args.parts == "all":
        autoencoder = load_average(args.weights / "vae.pt", Autoencoder(read_settings(args.settings, "vae", False)))
        factor, shift = denoiser.scaling(encode(autoencoder, data["train_images"]))
        export_autoencoder(autoencoder, args.bundle, round(factor, 6), round(shift, 6))
        if about["denoiser"]:
            settings = read_settings(args.settings, "transformer", False)
            model = load_average(args.weights / "transformer.pt", denoiser.Transformer(settings, len(classes)))
            export_denoiser(model, args.bundle, settings, len(classes))
    for name in about["teachers"]:
        settings = read_settings(args.settings, name, False)
        model = load_average(args.weights / f"{name}.pt", make_teacher(settings, len(classes)))
        export_teacher(model, args.bundle / name, settings["network"], classes, settings["half"])
    write_manifest(args.bundle, about, classes)


if __name__ == "__main__":
    main()
