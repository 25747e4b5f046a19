"""Tiny random twins of models of texts, saved as the libraries save theirs."""

from pathlib import Path

import torch

WORDS = ("a", "an", "animal", "bird", "horse", "eagle", "head", "body", "of", "with", "the", "photo", "red", "small")


def save_tokenizer(folder: Path, longest: int) -> None:
    """One token a known word, between a first and a last."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordLevel({word: k for k, word in enumerate([*special, *WORDS])}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        model_max_length=longest,
    ).save_pretrained(folder)


def save_sentence_model(folder: Path, *, seed: int = 0, longest: int = 12, dim: int = 16) -> Path:
    """A model of sentence-transformers: BERT, mean pooling, a dense layer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=dim,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder / "bert")
    save_tokenizer(folder / "bert", 32)
    bert = modules.Transformer(str(folder / "bert"), max_seq_length=longest)
    parts = [bert, modules.Pooling(dim), modules.Dense(dim, dim)]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "sentences"), create_model_card=False)
    return folder / "sentences"


def save_tower(folder: Path, kind: str = "clip", *, seed: int = 0, dim: int = 16, longest: int = 8) -> Path:
    """CLIP or SigLIP, both halves of it."""
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    torch.manual_seed(seed)
    half = {"hidden_size": dim, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    text = {
        "vocab_size": len(WORDS) + 4,
        "max_position_embeddings": longest,
        "eos_token_id": 3,
        "pad_token_id": 0,
        **half,
    }
    pictures = {"image_size": 8, "patch_size": 4, **half}
    if kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=pictures, projection_dim=dim))
    else:
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=pictures))
    model.save_pretrained(folder)
    save_tokenizer(folder, longest)
    return folder
